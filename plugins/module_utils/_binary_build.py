# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Building pinned programs from their Go modules.

The directory's go.mod and go.sum pin every module by digest; Go's own caches, proxies and settings are the user's. The
programs of one directory are built together, which saves minutes. A build dies with the process that started it.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import (
    Program,
    Progress,
    Source,
    installed_go,
    is_at_least,
    minimum_go,
)

# -dwarf=false and -s -w leave out what only a debugger reads: a tenth of the build's time, a third of the size.
# Trimmed paths make the same program wherever the directory is.
_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false")
_STALE = "{{if .Stale}}{{.ImportPath}}{{end}}"
_GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOGC": "400"}
_USUAL_GO = "/usr/local/go/bin"
_TAIL_LINES = 15
_PR_SET_PDEATHSIG = 1


def build(source: Source, programs: Sequence[Program], scratch: Path, tell: Callable[[Progress], None]) -> list[Path]:
    """Build programs of one source into a scratch directory; returns their paths in the same order."""
    go = find_go(source.directory)
    environment = {**os.environ, **_GO_ENVIRONMENT, "GOTMPDIR": str(scratch)}
    flags = [*_FLAGS, "-ldflags", f"-s -w {source.ldflags}".strip()]
    packages = [program.package for program in programs]
    # One program gets its own name; several have to be named like their packages.
    output = f"{scratch}/{programs[0].name}" if len(programs) == 1 else f"{scratch}/"

    progress = Progress(", ".join(program.name for program in programs))
    listing = _Command([go, "list", "-deps", "-f", _STALE, *flags, *packages], source.directory, environment)
    for line in listing.errors():
        progress = progress.after(line)
        tell(progress)
    progress = Progress(progress.names, total=len(listing.output()))
    for line in _Command([go, "build", "-v", *flags, "-o", output, *packages], source.directory, environment).errors():
        progress = progress.after(line)
        tell(progress)
    return [scratch / program.name for program in programs]


def find_go(directory: Path) -> str:
    """Path of a Go that is new enough for a directory's go.mod. Raises LabError that says what to install."""
    minimum = minimum_go((directory / "go.mod").read_text())
    go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), _USUAL_GO]))
    if go is None:
        raise _no_go(f"There is no Go on PATH or in {_USUAL_GO}", minimum)
    # Asked in the directory, a Go that may fetch newer ones (GOTOOLCHAIN) answers for the one that it will run.
    answer = subprocess.run([go, "version"], cwd=directory, capture_output=True, text=True, check=False)
    found = installed_go(answer.stdout)
    if not found or not is_at_least(found, minimum):
        raise _no_go(f"{go} is Go {found or 'of an unknown version'}", minimum)
    return go


def _no_go(seen: str, minimum: str) -> LabError:
    return LabError(
        attempted="Build the control plane's programs from their Go modules",
        seen=seen,
        remedy=f"Install Go {minimum} or newer from https://go.dev/dl (golang-go of Debian 12 and Ubuntu 24.04 is too "
        "old), or name programs that you have in binaries_given",
    )


with contextlib.suppress(ImportError):  # the module says that the runtime is missing
    from edgelab.core.errors import LabError


class _Command:
    """A run of the go command whose messages are read while it works."""

    def __init__(self, argv: Sequence[str], directory: Path, environment: dict[str, str]) -> None:
        self._argv, self._directory, self._environment = argv, directory, environment
        self._output = Path(environment["GOTMPDIR"], "output")

    def errors(self) -> Iterator[str]:
        """Each line that the command prints on standard error; raises LabError when it fails."""
        tail: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
        with (
            self._output.open("w") as output,
            subprocess.Popen(
                self._argv,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - the module has one thread
            ) as process,
        ):
            for line in process.stderr or ():
                tail.append(line.rstrip())
                yield tail[-1]
        if process.returncode:
            raise _failed(self._argv, process.returncode, "\n".join(tail))

    def output(self) -> list[str]:
        """The lines of its standard output that are not empty."""
        return [line for line in self._output.read_text().splitlines() if line]


def _die_with_parent() -> None:
    # SIGINT is what go cleans up after; it stops its compilers too.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _failed(argv: Sequence[str], status: int, tail: str) -> LabError:
    cause, remedy = "", "Run the same command by hand to see all of its output"
    if "no such host" in tail or "dial tcp" in tail:
        cause = "A module proxy cannot be reached"
        remedy = "Set GOPROXY or HTTPS_PROXY as this network needs them, or name programs in binaries_given"
    elif "no space left on device" in tail:
        cause = "The file system of Go's caches or of the lab's cache is full"
        remedy = "Free about 6 GB (go env GOCACHE GOMODCACHE tells where), then run this again"
    command = " ".join(argv[:2])
    return LabError(
        attempted=f"{command} for the control plane's programs",
        seen=f"It ended with status {status}; its last lines:\n{tail}\n",
        cause=cause,
        remedy=remedy,
    )
