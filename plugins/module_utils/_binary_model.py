# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a pinned program is, and how to read what tells about one: headers, checksum files, Go's words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

MISSING: list[str] = []
"""What the Python that runs this module lacks."""

try:
    from edgelab.core.errors import LabError
except ImportError:
    MISSING.append("edgelab")
    LabError = Exception  # type: ignore[assignment,misc]

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_ELF_MACHINES = {62: "amd64", 183: "arm64"}
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
_PACKAGE = re.compile(r"[\w.~-]+(/[\w.~-]+)*")


@dataclass(frozen=True)
class Source:
    """A directory with a go.mod that pins a program's module, and the flags of its linker."""

    directory: Path
    ldflags: str = ""


@dataclass(frozen=True)
class Program:
    """One pinned program: `path` when the user gives it, else where it can be downloaded and what it is built from.

    One without `source` cannot be built. `sha256` is the digest of what `url` serves, `sha256_url` the publisher's
    checksum file, used when there is none.
    """

    name: str
    version: str
    package: str
    source: Source | None
    path: Path | None = None
    url: str = ""
    sha256: str = ""
    sha256_url: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any], architecture: str, given: Mapping[str, str]) -> Program:
        """From one entry of the module's option `programs`, for an architecture, and the option `given`."""
        name = params["name"]

        def address(template: str | None) -> str:
            return (template or "").replace("{name}", name).replace("{arch}", architecture)

        return cls(
            name=name,
            version=params["version"],
            package=params["package"] or "",
            source=Source(Path(params["source"]), params["ldflags"]) if params["source"] else None,
            path=Path(given[name]).expanduser() if name in given else None,
            url=address(params["url"]),
            sha256=params["sha256"].get(architecture, ""),
            sha256_url=address(params["sha256_url"]),
        )

    def entry(self, cache: Path, architecture: str) -> Path:
        """The program's directory in the cache."""
        return cache / f"{self.name}-{self.version}-linux-{architecture}"


@dataclass(frozen=True)
class Progress:
    """How far a build is: modules downloaded, packages compiled out of those that have to be."""

    names: str
    total: int = 0
    downloaded: int = 0
    compiled: int = 0

    def after(self, line: str) -> Progress:
        """After one more line that `go build -v` printed."""
        if line.startswith("go: downloading "):
            return replace(self, downloaded=self.downloaded + 1)
        if _PACKAGE.fullmatch(line):
            return replace(self, compiled=self.compiled + 1)
        return self

    def __str__(self) -> str:
        if not self.total:
            return f"building {self.names}: {self.downloaded:,} modules downloaded"
        if self.compiled >= self.total:
            return f"building {self.names}: linking"
        return f"building {self.names}: {self.compiled:,} of {self.total:,} packages"


def architecture_of(machine: str) -> str:
    """Go's name for the machine's architecture. Raises LabError for one that nothing is built for."""
    try:
        return ARCHITECTURES[machine]
    except KeyError:
        known = " and ".join(ARCHITECTURES)
        raise LabError(
            attempted="Choose the programs for this machine",
            seen=f"Its architecture is {machine}",
            remedy=f"Use a machine with {known}",
        ) from None


def elf_architecture(header: bytes) -> str | None:
    """Go's name for the architecture that an executable is for, from its first 20 bytes; None for anything else."""
    is_elf64_little = header[:6] == b"\x7fELF\x02\x01" and len(header) >= 20
    return _ELF_MACHINES.get(int.from_bytes(header[18:20], "little")) if is_elf64_little else None


def published_digest(text: str, name: str) -> str | None:
    """A file's sha256 in its publisher's checksum file: a bare digest, or lines of digest and file name."""
    lines = [line for line in text.lower().splitlines() if _SHA256.search(line)]
    named = [line for line in lines if line.split()[-1].lstrip("*") == name.lower()]
    chosen = named or [line for line in lines if len(line.split()) == 1]
    found = _SHA256.search(chosen[0]) if len(chosen) == 1 else None
    return found.group() if found else None


def minimum_go(go_mod: str) -> str:
    """The Go version that a go.mod asks for."""
    found = re.search(r"^go (\S+)$", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError("no line `go VERSION`")
    return found.group(1)


def installed_go(text: str) -> str:
    """The version in what `go version` prints; empty when it says something else."""
    found = re.match(r"go version go(\d+(?:\.\d+)*)", text)
    return found.group(1) if found else ""


def is_at_least(version: str, minimum: str) -> bool:
    """Whether a dotted version is not older than another."""
    return _numbers(version) >= _numbers(minimum)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".") if number)


def by_source(programs: Iterable[Program]) -> dict[Source | None, list[Program]]:
    """Programs that one `go build` can make together, and under None those that cannot be built."""
    groups: dict[Source | None, list[Program]] = {}
    for program in programs:
        groups.setdefault(program.source, []).append(program)
    return groups


def progress_path(cache: Path, name: str) -> Path:
    """Where the progress of the build that begins with this program is told."""
    return cache / f".{name}.progress"
