"""Programs that suites need beyond Python's: installed when they lack and root runs the suite, else named in words."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def have(packages: Mapping[str, str]) -> None:
    """Make sure of programs; packages maps each program to the Debian package that has it.

    Raises RuntimeError that names what lacks when it cannot be installed.
    """
    lacking = _lacking(packages)
    if lacking and os.getuid() != 0:
        raise RuntimeError(f"These tests need packages that are not installed: sudo {' '.join(_install(lacking))}")
    if lacking:
        with _alone():
            _run(["apt-get", "update", "--quiet"], _install(_lacking(packages)))


def _lacking(packages: Mapping[str, str]) -> list[str]:
    return sorted({package for program, package in packages.items() if not shutil.which(program, path=_path())})


def _install(lacking: list[str]) -> list[str]:
    return ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *lacking]


def _run(*commands: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in commands:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(words)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
            )


@contextmanager
def _alone() -> Iterator[None]:
    """One process of the tests at a time, since apt-get does not wait for another one of its kind."""
    directory = os.open("/var/lib/dpkg", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
