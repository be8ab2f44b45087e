# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Pinned programs are at hand: the path that the user gave, else the cache, else what the controller's cache offers,
else a download, else a build.

A download that is not to be had is no error as long as Go can build it; a wrong digest always is one.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._binary_build import build
from ansible_collections.edgelab.akri.plugins.module_utils._binary_cache import (
    Record,
    check_given,
    install,
    is_sound,
    locked,
    read_record,
    scratch,
    sha256,
)
from ansible_collections.edgelab.akri.plugins.module_utils._binary_fetch import UnavailableError, fetch
from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import (
    MISSING,
    Program,
    Progress,
    by_source,
    progress_path,
)

try:
    from edgelab.core.errors import LabError
except ImportError:  # the module says so
    LabError = Exception  # type: ignore[assignment,misc]

__all__ = ["MISSING", "Cache", "LabError", "Program"]


class Cache:
    """The cache of programs for one architecture. Everything here raises LabError."""

    def __init__(self, directory: Path, architecture: str, offered: Path | None = None) -> None:
        self._directory, self._architecture, self._offered = directory, architecture, offered

    def missing(self, programs: Iterable[Program]) -> list[Program]:
        """Those that are neither given (and fit for use) nor soundly cached."""
        for program in programs:
            if program.path:
                check_given(program.name, program.path, self._architecture)
        return [
            program for program in programs if not program.path and not is_sound(self._entry(program), program.name)
        ]

    def provide(self, programs: Iterable[Program]) -> None:
        """Download or build programs that are missing."""
        for group in by_source(programs).values():
            entries = [self._entry(program) for program in group]
            with locked(entries), scratch(min(entries)) as directory:
                # Another run may have made them while this one waited for the lock.
                self._provide_group(self.missing(group), directory)

    def result(self, programs: Iterable[Program], missing: Sequence[Program]) -> dict[str, Any]:
        """What the module returns."""
        names = [program.name for program in missing]
        return {
            "changed": bool(names),
            "missing": {program.name: self._entry(program).name for program in missing},
            "paths": {program.name: str(program.path or self._entry(program) / program.name) for program in programs},
            "diff": {
                "before": "".join(f"{name} is not in the cache\n" for name in names),
                "after": "".join(f"{name} is in the cache\n" for name in names),
            },
        }

    def _entry(self, program: Program) -> Path:
        return program.entry(self._directory, self._architecture)

    def _provide_group(self, programs: Sequence[Program], directory: Path) -> None:
        refusals: dict[Program, str] = {}
        for program in programs:
            entry = self._entry(program)
            try:
                path, record = self._offer(program, directory) or fetch(program, read_record(entry), directory)
            except UnavailableError as error:
                refusals[program] = str(error)
            else:
                install(path, entry, record)
        if refusals:
            self._build(refusals, directory)

    def _offer(self, program: Program, directory: Path) -> tuple[Path, Record] | None:
        """A copy of the program in the scratch directory, with its record, if it is offered and sound."""
        offer = self._offered / self._entry(program).name if self._offered else None
        record = read_record(offer) if offer else None
        if offer is None or record is None or not is_sound(offer, program.name):
            return None
        return Path(shutil.copy(offer / program.name, directory)), record

    def _build(self, refusals: dict[Program, str], directory: Path) -> None:
        programs = list(refusals)
        try:
            with progress_file(self._directory, programs) as file:
                source = programs[0].source
                if source is None:
                    raise _cannot_be_built(programs)
                paths = build(source, programs, directory, lambda progress: tell(file, progress))
        except LabError as error:
            reasons = "; ".join(f"{program.name}: {reason}" for program, reason in refusals.items())
            error.cause = " ".join(filter(None, [error.cause, f"A download was not possible either ({reasons})"]))
            raise
        for program, path in zip(programs, paths, strict=True):
            record = Record("build", f"{program.package}@{program.version}", sha256(path))
            install(path, self._entry(program), record)


def _cannot_be_built(programs: Sequence[Program]) -> LabError:
    names = ", ".join(f"{program.name} {program.version}" for program in programs)
    return LabError(
        attempted=f"Have {names} at hand",
        seen="It is not in the cache, and there is no source that it could be built from",
        remedy="Let this machine reach the address, name another one, or give the path of a program that you have",
    )


@contextlib.contextmanager
def progress_file(cache: Path, programs: Sequence[Program]) -> Iterator[Path]:
    """The file that tells how far a build is (the action plugin shows it); gone afterwards."""
    path = progress_path(cache, programs[0].name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def tell(file: Path, progress: Progress) -> None:
    """Say how far the build is. Nothing depends on it, so that a full disk does not matter here."""
    with contextlib.suppress(OSError):
        file.write_text(str(progress))
