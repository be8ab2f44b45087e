"""Run actionlint, pinned as the collection's other programs are, on the workflows; its exit status is ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "edgelab/bin")


def main() -> int:
    """Have the program at hand, and run it."""
    wanted = json.dumps({"binaries_wanted": ["actionlint"], "binaries_directory": str(CACHE)})
    role = ["-m", "ansible.builtin.include_role", "-a", "name=edgelab.akri.binaries", "-e", wanted]
    made = subprocess.run(
        [sys.executable, "-m", "ansible", "adhoc", "localhost", *role],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if made.returncode:
        sys.stderr.write(made.stdout)
        return made.returncode
    program = max(CACHE.glob("actionlint-*/actionlint"), key=lambda path: path.stat().st_mtime)
    # What it would hand on to shellcheck and pyflakes depends on what is installed; there is no shell beyond a line.
    return subprocess.run([str(program), "-shellcheck=", "-pyflakes="], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
