"""Lock the Python requirements: every requirements*.in to the .lock beside it, hashed, for Python 3.11 and newer.

    python tools/lock.py [--upgrade]

A version that is locked already stays, unless the newest ones are asked for. Needs `uv` on PATH. The files lock in an
order in which each constrains the next, so that all agree on every version.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = (
    "runtime/requirements",
    "runtime/requirements-video",
    "requirements",
    "requirements-providers",
    "requirements-dev",
)
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
    parser = argparse.ArgumentParser(description="Lock the Python requirements.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
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
            *upgrade,
            *constraints,
            f"{name}.in",
            "-o",
            f"{name}.lock",
        ]
        subprocess.run(command, cwd=ROOT, check=True)
        constraints += ["-c", f"{name}.lock"]


if __name__ == "__main__":
    main()
