"""Programs that suites need beyond Python's: installed when they lack and root runs the suite, else named in words."""

import os
import shutil
import subprocess
from collections.abc import Mapping


def have(packages: Mapping[str, str]) -> None:
    """Make sure of programs; packages maps each program to the Debian package that has it.

    Raises RuntimeError that names what lacks when it cannot be installed.
    """
    lacking = sorted({package for program, package in packages.items() if not shutil.which(program, path=_path())})
    if not lacking:
        return
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *lacking]
    if os.getuid() != 0:
        raise RuntimeError(f"These tests need packages that are not installed: sudo {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["apt-get", "update", "--quiet"], command):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(words)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
            )


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
