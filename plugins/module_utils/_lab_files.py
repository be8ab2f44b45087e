# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The collection's own files in the cache of the machine that a lab lives on: `cache/collection/DIGEST/`.

Such a directory appears whole, by a rename, and is not changed but for `python`: the machine's own Python, made to see
the runtime, so that modules work before the runtime is installed with all that it needs. This is the first thing that
runs on a machine, by whatever Python Ansible found there, so it asks for no more than Ansible does.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

MINIMUM = (3, 11)
"""The Python that the runtime asks for; runtime/pyproject.toml says so, too."""

Version = tuple[int, ...]


def directory_of(digest: str, environment: Mapping[str, str]) -> Path:
    """Where the files with this digest belong, for the user with this environment."""
    base = environment.get("XDG_CACHE_HOME") or Path(environment["HOME"]) / ".cache"
    return Path(base) / "edgelab" / "collection" / digest


def unpack(archive: Path, directory: Path) -> None:
    """Put the files of a tar archive there. Another run may do the same at this moment: one of them wins."""
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=str(directory.parent), prefix="." + directory.name + "."))
    try:
        with tarfile.open(str(archive)) as files:
            files.extractall(str(scratch))  # noqa: S202  # made by the action plugin of this collection
        try:
            scratch.rename(directory)
        except OSError:
            if not directory.is_dir():
                raise
    finally:
        shutil.rmtree(str(scratch), ignore_errors=True)


def write_python(directory: Path, interpreter: str) -> Path:
    """Write `python`; returns its path."""
    path = directory / "python"
    sources = shlex.quote(str(directory / "runtime/src"))
    text = f'#!/bin/sh\nPYTHONPATH={sources} exec {shlex.quote(interpreter)} "$@"\n'
    if not path.exists() or path.read_text() != text:
        with tempfile.NamedTemporaryFile("w", dir=str(directory), delete=False) as file:
            file.write(text)
        scratch = Path(file.name)
        scratch.chmod(0o755)
        scratch.rename(path)
    return path


def fitting_python(
    find: Callable[[str], str | None] = shutil.which, version: Callable[[str], tuple[int, ...]] | None = None
) -> str | None:
    """The Python that runs this if it is new enough, else the newest of the usual names on PATH that is; or None."""
    look = version or version_of
    return next((python for python in _candidates(find) if look(python) >= MINIMUM), None)


def no_python(machine: str, newest: str) -> str:
    """What to tell people when there is none."""
    wanted = "{}.{}".format(*MINIMUM)
    return (
        f"Look for a Python on {machine} that the runtime can work with. There is {newest}, and it takes {wanted} or "
        f"newer. Install one beside it (apt-get install python{wanted} python{wanted}-venv, where the release has "
        "them), or name one in the inventory (ansible_python_interpreter)."
    )


def version_of(python: str) -> tuple[int, ...]:
    """The version of an interpreter; () for what does not answer as one."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-I", "-c", code], check=True, stdout=subprocess.PIPE, text=True)
        return tuple(int(number) for number in done.stdout.split())
    except (OSError, ValueError, subprocess.CalledProcessError):
        return ()


def _candidates(find: Callable[[str], str | None]) -> Iterable[str]:
    yield sys.executable
    for minor in range(20, MINIMUM[1] - 1, -1):
        found = find(f"python3.{minor}")
        if found:
            yield found
