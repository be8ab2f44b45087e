# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The cache of programs: NAME-VERSION-linux-ARCH/ with the program and source.json, the record of where it came from.

    {"how": "download", "origin": URL, "sha256": of the program, "published_sha256": of what the URL serves}
    {"how": "build", "origin": PACKAGE@VERSION, "sha256": of the program}

An entry appears whole, by a rename, or not at all. One writer at a time: the entry's lock file is held by flock.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import elf_architecture
from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write, write_whole

with contextlib.suppress(ImportError):  # the module says that the runtime is missing
    from edgelab.core.errors import LabError

RECORD = "source.json"
_ANSWER_SECONDS = 20


@dataclass(frozen=True)
class Record:
    """Where a cached program came from."""

    how: str
    origin: str
    sha256: str
    published_sha256: str = ""


def read_record(entry: Path) -> Record | None:
    """The record of an entry, or None without one that can be read."""
    try:
        return Record(**json.loads((entry / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def is_sound(entry: Path, name: str) -> bool:
    """Whether an entry holds the program that its record describes."""
    record, program = read_record(entry), entry / name
    if record is None or not os.access(program, os.X_OK):
        return False
    return sha256(program) == record.sha256


def sha256(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def install(program: Path, entry: Path, record: Record) -> None:
    """Move a program from a scratch directory of the cache into its entry, in the place of what was there."""
    scratch = program.parent / f"entry-{entry.name}"
    try:
        scratch.mkdir()
        program.chmod(0o755)
        program.rename(scratch / program.name)
        write_whole(scratch / RECORD, json.dumps(asdict(record), indent=2) + "\n", 0o644)
        shutil.rmtree(entry, ignore_errors=True)
        scratch.rename(entry)
    except OSError as error:
        raise cannot_write(entry, error) from error


@contextlib.contextmanager
def locked(entries: Iterable[Path]) -> Iterator[None]:
    """Hold the locks of entries; waits for another run that makes one of them."""
    with contextlib.ExitStack() as stack:
        for entry in sorted(entries):
            try:
                entry.parent.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context((entry.parent / f".{entry.name}.lock").open("w"))
            except OSError as error:
                raise cannot_write(entry, error) from error
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def scratch(entry: Path) -> Iterator[Path]:
    """A directory beside an entry that is gone afterwards; one that a killed run left is removed first.

    The entry must be locked: its lock is what tells that nobody uses an old scratch directory.
    """
    prefix = f".{entry.name}.scratch."
    for left in entry.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        directory = tempfile.TemporaryDirectory(dir=entry.parent, prefix=prefix)
    except OSError as error:
        raise cannot_write(entry, error) from error
    with directory as path:
        yield Path(path)


def check_given(name: str, path: Path, architecture: str) -> None:
    """Raise LabError unless a path that the user gave is a program that runs here."""

    def refused(seen: str, remedy: str) -> LabError:
        return LabError(attempted=f"Use {path} as {name}", seen=seen, remedy=remedy)

    if not path.is_file() or not os.access(path, os.X_OK):
        raise refused("It is not a file that can be executed", "Give the path of the program itself (chmod +x PATH)")
    with path.open("rb") as file:
        header = file.read(20)
    found = elf_architecture(header)
    if header.startswith(b"\x7fELF") and found != architecture:
        raise refused(f"It is for {found or 'another architecture'}, this machine is {architecture}", "Give another")
    try:
        subprocess.run([path, "--version"], check=True, capture_output=True, timeout=_ANSWER_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise refused(f"`{path} --version` does not answer: {error}", f"Give a working {name}") from error
