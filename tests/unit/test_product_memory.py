"""Memory while reading product files: bounded whatever the file's size, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

READER = """
import json, sys
from benchmarks.measuring import peak_rss_mib
from commerce_assets.reading import Limits, ProductFile, read_ahead
from commerce_assets.rules import FileKeys, Settings, check

HEAD = b"vendor_product_id,product_name,category,sku,price,stock_quantity,description\\n"

class Generated:
    def __init__(self, kind, size):
        self.kind, self.left, self.number, self.rest = kind, size, 0, HEAD

    def read(self, size):
        while len(self.rest) < size and self.left > 0:
            if self.kind == "line":
                more = b"x" * 1_048_576
            elif self.kind == "quote":
                more = (b'P1,"Lamp' if not self.number else b"lamp ") + b"x" * 1_048_576
            elif self.kind == "short":
                more = b",,,,,,\\n" * 100_000
            else:
                rows = range(self.number, self.number + 5_000)
                more = b"".join(
                    b"P%d,Lamp %d,Books,S%d,12.50,3,%s\\n" % (n, n, n, b"light " * 30) for n in rows
                )
            self.number += 5_000
            self.left -= len(more)
            self.rest += more
        given, self.rest = self.rest[:size], self.rest[size:]
        return given

file = ProductFile(Generated(sys.argv[1], int(sys.argv[2])), Limits(file_bytes=10**12, rows=10**12))
settings, keys, verdicts = Settings(frozenset({"Books"})), FileKeys(), 0
for chunk in read_ahead(file.chunks()):
    checked = check(chunk.frame, settings)
    keys.add(checked.accepted)
    verdicts += checked.accepted.height + checked.rejected.height + len(chunk.refused)
losers = keys.losers("reject").height
print(json.dumps([file.problem and file.problem.code, file.rows, verdicts, losers, peak_rss_mib()]))
"""


@pytest.mark.parametrize(
    ("kind", "mebibytes", "code"),
    [
        ("line", 1_000, "LINE_TOO_LONG"),
        ("quote", 1_000, "LINE_TOO_LONG"),
        ("rows", 200, None),
        ("short", 10, None),
    ],
)
def test_memory_is_bounded_whatever_the_size_of_the_file(kind: str, mebibytes: int, code: str | None) -> None:
    """A line of 1 GB, an open quote before it, 200 MB of rows, and rows so short that a block holds very many."""
    done = subprocess.run(
        [sys.executable, "-c", READER, kind, str(mebibytes * 1_048_576)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    problem, rows, verdicts, losers, peak = json.loads(done.stdout)
    assert (problem, verdicts, losers) == (code, rows, 0)
    assert peak <= 300
