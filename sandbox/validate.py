"""`python -m sandbox.validate`: `dagster definitions validate -w workspace.yaml` without any server.

Dagster reads `.env` from the working directory, and that names the instance on Postgres: run from the root it
would need the sandbox to be up. So it runs in an empty folder, with an empty instance and without the settings
of `.env`, which also proves that the definitions load on a machine that has none. The workspace is the same but
for its working directories, which Dagster takes relative to where it is started.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Load all locations and return Dagster's exit status: 1 when one of them is invalid."""
    with tempfile.TemporaryDirectory(prefix="definitions-") as home:
        Path(home, "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        kept = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
            if name in os.environ
        }
        workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
        for entry in workspace["load_from"]:
            entry["python_module"]["working_directory"] = str(ROOT)
        Path(home, "workspace.yaml").write_text(yaml.safe_dump(workspace))
        command = ["-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
        return subprocess.run(
            [sys.executable, *command], cwd=home, env={**kept, "DAGSTER_HOME": home}, check=False
        ).returncode


if __name__ == "__main__":
    raise SystemExit(main())
