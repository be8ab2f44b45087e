# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a container image is made of, and the digest of all of it, which is the image's tag. Nothing is built here."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    from edgelab.core.errors import LabError
except ImportError:  # said by _lab_module.run
    LabError = Exception  # type: ignore[assignment,misc]

LABEL = "edgelab.akri/inputs"
_RECIPE = "3"
"""Goes into every digest: to be raised when images are to be made otherwise from the same inputs."""


@dataclass(frozen=True)
class DebianBase:
    """A base made of packages: its Containerfile's text, the packages, the release (suite) they are of."""

    containerfile: str
    packages: tuple[str, ...]
    suite: str

    @property
    def digest(self) -> str:
        """Names the base; the versions of the packages are those of the day on which it is made."""
        return _digest([_RECIPE, platform.machine(), self.suite, self.containerfile, *self.packages])


@dataclass(frozen=True)
class GivenBase:
    """A base that is pulled: its reference, and the version of its Python, MAJOR.MINOR."""

    reference: str
    python: str

    @property
    def digest(self) -> str:
        """Names the base."""
        return _digest([_RECIPE, platform.machine(), self.reference, self.python])


@dataclass(frozen=True)
class Recipe:
    """An image: its Containerfile, and what is put beside that before it is built.

    `files` maps names beside the Containerfile to texts, `copies` to files or directories. The Python packages of
    `requirements`, the text of a lock file, are installed into `site-packages` there.
    """

    repository: str
    containerfile: str
    files: Mapping[str, str]
    base: DebianBase | GivenBase
    copies: Mapping[str, Path]
    requirements: str = ""

    @classmethod
    def from_params(cls, given: Mapping[str, Any]) -> Recipe:
        """The recipe that the module's parameters ask for."""
        copies = {name: Path(source) for name, source in given["copies"].items()}
        base, requirements = _base_from(given), given["requirements"]
        return cls(given["repository"], given["containerfile"], given["files"], base, copies, requirements)

    @property
    def image(self) -> str:
        """Its name where no registry has a part in it, which no kubelet would pull."""
        return f"localhost/{self.repository}:{self.digest}"

    @property
    def digest(self) -> str:
        """Names the image; the same inputs make the same one."""
        parts = [_RECIPE, self.base.digest, self.containerfile, self.requirements]
        for name, text in sorted(self.files.items()):
            parts += [name, text]
        for name, source in sorted(self.copies.items()):
            parts += [name, *_contents(source)]
        return _digest(parts)


def _base_from(given: Mapping[str, Any]) -> DebianBase | GivenBase:
    """The base that the module's parameters ask for; one that is given wins."""
    if given["base"]:
        return GivenBase(given["base"], given["base_python"])
    debian = given["debian"]
    return DebianBase(debian["containerfile"], tuple(debian["packages"]), debian["suite"] or _suite_of_machine())


def _suite_of_machine() -> str:
    try:
        suite = platform.freedesktop_os_release().get("VERSION_CODENAME")
    except OSError:
        suite = None
    if not suite or not Path("/etc/debian_version").exists():
        raise LabError(
            attempted="Make a base image of Debian packages",
            seen="This machine is neither Debian nor Ubuntu",
            remedy="Say which suite, or name a base image with Python that can be pulled",
        )
    return suite


def files_of(source: Path) -> Iterator[Path]:
    """The files of a directory, or the file itself, without byte code. Raises LabError when it does not exist."""
    if not source.exists():
        raise LabError(attempted="Look at what an image is made of", seen=f"{source} does not exist")
    if source.is_file():
        yield source
        return
    yield from (path for path in sorted(source.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def _contents(source: Path) -> Iterator[str]:
    for path in files_of(source):
        yield str(path.relative_to(source) if path != source else path.name)
        yield hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
