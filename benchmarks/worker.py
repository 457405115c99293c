"""Running one measured piece of work in a process of its own, so that its memory and its CPU time are its own.

The parent sends the work as JSON on stdin and gets the result as JSON on stdout; the worker sees none of the settings
of this machine. `python -m benchmarks.worker` is the worker's end.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.processes import plain_environment

ROOT = Path(__file__).resolve().parent.parent


class WorkerFailed(Exception):
    """The measured work raised; the text ends with the worker's own words."""


def run_worker(
    function: str,
    arguments: Mapping[str, Any],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Call `function` ("module:name") with keyword arguments in a new interpreter; its result as plain JSON values.

    `folder` is the worker's home: what libraries leave behind goes there. Raises `WorkerFailed`.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**plain_environment(), "HOME": str(folder), "TMPDIR": str(folder), **(environment or {})},
    )
    try:
        request = json.dumps({"function": function, "arguments": dict(arguments)})
        output, errors = child.communicate(request.encode())
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if child.returncode:
        told = errors.decode(errors="replace").strip().splitlines()
        raise WorkerFailed(f"{function} ended with status {child.returncode}:\n" + "\n".join(told[-12:]))
    return json.loads(output)


def main() -> None:
    """Do the work that stdin describes and write its result."""
    request = json.loads(sys.stdin.buffer.read())
    # What libraries print must not end up in the result.
    result_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, name = request["function"].partition(":")
    result = getattr(importlib.import_module(module), name)(**request["arguments"])
    json.dump(result, result_to)
    result_to.flush()


if __name__ == "__main__":
    main()
