"""Lock the Python requirements: every requirements*.in to the .lock beside it, hashed, for Python 3.11 and newer.

Needs `uv` on PATH. The files lock in an order in which each constrains the next, so that all agree on every version.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ("runtime/requirements", "requirements", "requirements-providers", "requirements-dev")
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--no-annotate",
)


def main() -> None:
    """Write the lock files; stops with uv's own message when a requirement cannot be met."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("Locking needs uv (https://docs.astral.sh/uv): pipx install uv")
    constraints: list[str] = []
    for name in FILES:
        command = [
            uv,
            "pip",
            "compile",
            "--quiet",
            *OPTIONS,
            "--upgrade",
            *constraints,
            f"{name}.in",
            "-o",
            f"{name}.lock",
        ]
        subprocess.run(command, cwd=ROOT, check=True)
        constraints += ["-c", f"{name}.lock"]


if __name__ == "__main__":
    main()
