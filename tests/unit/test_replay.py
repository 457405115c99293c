"""What `python -m fullbay_assets.replay` prints, without a database."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LISTING = """
import sys
from datetime import date
from unittest import mock
from fullbay_assets import replay

facts = ("PARSE", "NOT_A_NUMBER", "total", "'n/a'", "message " * 50)
one = replay.Held(1, "7", "default", date(2026, 10, 1), *facts, 1, None)
with mock.patch.object(replay, "_run", lambda options: replay._show([one] * 2_000) or 1):
    sys.exit(replay.main([]))
"""


@pytest.mark.parametrize("lines", [0, 1], ids=["closed at once", "head -1"])
def test_a_reader_that_has_seen_enough_ends_the_listing_quietly(lines: int) -> None:
    """`replay --list | head -1` ended in the traceback of a BrokenPipeError."""
    command = subprocess.Popen(
        [sys.executable, "-c", LISTING], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None
    for _ in range(lines):
        assert os.read(command.stdout.fileno(), 100).startswith(b"1\t7\tdefault")
    command.stdout.close()
    command.stdout = None
    assert command.communicate(timeout=60) == (None, b"")
    assert command.returncode == 1
