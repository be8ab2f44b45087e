# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""An image in an archive with OCI's layout, as what a registry takes: blobs and a manifest."""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._wasm_artifact import MANIFEST, Artifact

try:
    from edgelab.core.errors import LabError
except ImportError:  # said by _lab_module.run
    LabError = Exception  # type: ignore[assignment,misc]


@dataclass(frozen=True)
class ArchivedBlob:
    """A blob of the archive; it is read when it is asked for, since layers are large."""

    archive: Path
    digest: str

    @property
    def content(self) -> bytes:
        """The blob's bytes."""
        with _opened(self.archive) as tar:
            return _read(tar, self.archive, f"blobs/{self.digest.replace(':', '/')}")


def artifact_of(archive: Path, repository: str, tag: str) -> Artifact:
    """The image of an archive under a tag. Raises LabError when the archive has not OCI's layout."""
    with _opened(archive) as tar:
        descriptor = _manifest_descriptor(tar, archive)
        manifest = _read(tar, archive, f"blobs/{descriptor['digest'].replace(':', '/')}")
    content = json.loads(manifest)
    digests = dict.fromkeys(each["digest"] for each in (content["config"], *content["layers"]))
    blobs: Any = tuple(ArchivedBlob(archive, digest) for digest in digests)
    return Artifact(repository, tag, blobs, manifest)


def _manifest_descriptor(tar: tarfile.TarFile, archive: Path) -> dict[str, Any]:
    """Where the image's manifest is: in the index, or in an index that the index leads to."""
    index = json.loads(_read(tar, archive, "index.json"))
    while True:
        found: dict[str, Any] = next(
            (each for each in index["manifests"] if each.get("mediaType") == MANIFEST), index["manifests"][0]
        )
        if found.get("mediaType") == MANIFEST:
            return found
        index = json.loads(_read(tar, archive, f"blobs/{found['digest'].replace(':', '/')}"))
        if "manifests" not in index:
            raise _not_oci(archive, f"A manifest of the type {found.get('mediaType')}")


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive) as tar:
            yield tar
    except (OSError, tarfile.TarError) as error:
        raise LabError(attempted=f"Read the image archive {archive}", seen=str(error)) from error


def _read(tar: tarfile.TarFile, archive: Path, name: str) -> bytes:
    try:
        member = tar.extractfile(name)
    except KeyError as error:
        raise _not_oci(archive, f"There is no {name} in it") from error
    return member.read() if member else b""


def _not_oci(archive: Path, seen: str) -> LabError:
    return LabError(
        attempted=f"Read the image archive {archive}",
        seen=seen,
        cause="Docker before version 25 writes another layout",
        remedy="Use Docker 25 or newer, podman or buildah",
    )
