# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A container image is where a cluster gets it from: in a registry, or loaded into the nodes.

The tag is the digest of all inputs, so one question tells whether anything has to be built.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.edgelab.akri.plugins.module_utils._container_archive import artifact_of
from ansible_collections.edgelab.akri.plugins.module_utils._container_engine import run
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_artifact import Artifact
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import Address, Registry, UnreachableError

try:
    from edgelab.core.errors import LabError
except ImportError:  # said by _lab_module.run
    LabError = Exception  # type: ignore[assignment,misc]


class Place(Protocol):
    """Where a cluster gets one image from."""

    @property
    def image(self) -> str:
        """The image's name there, without a digest."""

    def find(self) -> str | None:
        """The reference for Pods when the image is there."""

    def put(self, archive: Path) -> None:
        """Take the image from an archive."""


@dataclass(frozen=True)
class InRegistry:
    """Pods pull the image by its digest."""

    address: Address
    repository: str
    tag: str

    @property
    def image(self) -> str:
        """HOST:PORT/REPOSITORY:TAG."""
        return f"{self.address.host}/{self.repository}:{self.tag}"

    def find(self) -> str | None:
        """Ask the registry for the tag's manifest."""
        if not self.address.files_are_there:
            return None  # there is no registry yet
        digest = Registry(self.address).look(Artifact(self.repository, self.tag)).found
        return f"{self.image}@{digest}" if digest else None

    def put(self, archive: Path) -> None:
        """Push it."""
        registry = Registry(self.address)
        registry.take(registry.look(artifact_of(archive, self.repository, self.tag)))


@dataclass(frozen=True)
class OnNodes:
    """The image is in the nodes' own store.

    `load` gets an archive as its last argument, `names` prints the names of what is there.
    """

    image: str
    load: Sequence[str]
    names: Sequence[str]

    def find(self) -> str | None:
        """Look among the names; nodes that do not answer have nothing, and loading will tell why they do not."""
        with contextlib.suppress(LabError):
            return self.image if self.image in run(self.names).split() else None
        return None

    def put(self, archive: Path) -> None:
        """Load it."""
        run([*self.load, str(archive)])


def ensure(place: Place, build: Callable[[], Path], *, dry_run: bool) -> dict[str, Any]:
    """Have the image in its place; returns the module's result. `build` makes its archive."""
    try:
        found = place.find()
    except UnreachableError as error:
        if not dry_run:
            raise
        warning = f"{error} Nothing is known about what it holds."
        return {**_result(place, place.image, changed=False), "warnings": [warning]}
    if found is None and not dry_run:
        place.put(build())
    return _result(place, found or (not dry_run and place.find()) or place.image, changed=found is None)


def _result(place: Place, reference: str, *, changed: bool) -> dict[str, Any]:
    before = "absent\n" if changed else f"{place.image}\n"
    return {"changed": changed, "image": reference, "diff": {"before": before, "after": f"{place.image}\n"}}
