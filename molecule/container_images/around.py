"""Runs the scenario with Podman as the tests on Kind set it up; there is nothing else that they need of it."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

MACHINE = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tests/kind/machine.py"))


def main() -> int:
    """Run the command after `--`; returns how it ended."""
    MACHINE["prepare"]()
    command = sys.argv[sys.argv.index("--") + 1 :]
    return subprocess.run(command, env=os.environ | MACHINE["environment"](), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
