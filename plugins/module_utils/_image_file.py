# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A program out of an OCI image, by digest: index, manifest and layers are compared with it, link by link.

The program goes into the cache of programs as one that was downloaded, under the image's digest as its version. Raises
LabError for an image that is not named by digest, is not to be had, or has no such file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._binary_cache import (
    Record,
    install,
    is_sound,
    locked,
    scratch,
    sha256,
)
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import (
    Address,
    bypass_proxies,
    opened,
    request,
)

with contextlib.suppress(ImportError):  # said by _lab_module.run
    from dxf import DXF
    from edgelab.core.errors import LabError

_REFERENCE = re.compile(r"(?P<host>[^/]+)/(?P<repository>[^@]+?)(:[\w.-]+)?@sha256:(?P<digest>[0-9a-f]{64})")
_MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Image:
    """An image by its digest, in a repository of a registry."""

    host: str
    repository: str
    digest: str

    @classmethod
    def parse(cls, reference: str) -> Image:
        """From HOST/REPOSITORY[:TAG]@sha256:DIGEST; the tag says nothing beside the digest."""
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            raise LabError(
                attempted=f"Use the image {reference}",
                seen="It is not named by its digest",
                cause="A tag may name another image tomorrow",
                remedy="Give HOST/REPOSITORY@sha256:DIGEST; `skopeo inspect` and the publisher's page tell the digest",
            )
        return cls(found["host"], found["repository"], f"sha256:{found['digest']}")

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}@{self.digest}"


@dataclass(frozen=True)
class Wanted:
    """A program: its name in the cache, and the file of the image for an architecture that it is."""

    name: str
    image: Image
    path: str
    architecture: str

    def entry(self, cache: Path) -> Path:
        """Its directory in the cache."""
        return cache / f"{self.name}-{self.image.digest[7:19]}-linux-{self.architecture}"


def provide(wanted: Wanted, cache: Path, address: Address, *, dry_run: bool) -> dict[str, Any]:
    """Make sure that the program is in the cache; returns the module's result."""
    entry = wanted.entry(cache)
    missing = not is_sound(entry, wanted.name)
    if missing and not dry_run:
        with locked([entry]), scratch(entry) as directory:
            program = directory / wanted.name
            program.write_bytes(_fetch(wanted, address))
            install(program, entry, Record("image", f"{wanted.image}:{wanted.path}", sha256(program)))
    after = f"{wanted.name} is in the cache\n" if missing else ""
    return {"changed": missing, "path": str(entry / wanted.name), "diff": {"before": "", "after": after}}


def _fetch(wanted: Wanted, address: Address) -> bytes:
    bypass_proxies(address.host)
    attempted = f"Take {wanted.path} out of the image {wanted.image}"
    with opened(address, wanted.image.repository, attempted) as repository:
        manifest = _manifest(repository, wanted.image.digest, wanted.architecture, attempted)
        for layer in reversed(manifest["layers"]):
            found = _of_layer(repository, layer["digest"], PurePosixPath(wanted.path).relative_to("/"), attempted)
            if found is not None:
                return found
    raise LabError(attempted=attempted, seen="No layer of it has that file", remedy="Name the file's path in the image")


def _manifest(repository: DXF, digest: str, architecture: str, attempted: str) -> dict[str, Any]:
    content = request(repository, "get", f"manifests/{digest}", headers={"Accept": _MEDIA_TYPES}).content
    _check(hashlib.sha256(content).hexdigest(), digest, attempted)
    manifest: dict[str, Any] = json.loads(content)
    if "manifests" not in manifest:
        return manifest
    platforms = {each["platform"]["architecture"]: each["digest"] for each in manifest["manifests"] if _is_linux(each)}
    if architecture not in platforms:
        known = ", ".join(sorted(platforms)) or "none"
        raise LabError(attempted=attempted, seen=f"It is for Linux on {known}, and this machine is {architecture}")
    return _manifest(repository, platforms[architecture], architecture, attempted)


def _is_linux(described: dict[str, Any]) -> bool:
    return bool(described.get("platform", {}).get("os") == "linux")


def _of_layer(repository: DXF, digest: str, path: PurePosixPath, attempted: str) -> bytes | None:
    with tempfile.TemporaryFile() as file:
        for chunk in repository.pull_blob(digest, chunk_size=_CHUNK):  # which compares the digest
            file.write(chunk)
        file.seek(0)
        try:
            with tarfile.open(fileobj=file) as layer:
                return _of_archive(layer, path)
        except tarfile.TarError as error:
            raise LabError(attempted=attempted, seen=f"Its layer {digest} cannot be read: {error}") from error


def _of_archive(layer: tarfile.TarFile, path: PurePosixPath) -> bytes | None:
    for member in layer:
        file = layer.extractfile(member) if member.isreg() and PurePosixPath(member.name) == path else None
        if file:
            return file.read()
    return None


def _check(found: str, digest: str, attempted: str) -> None:
    if f"sha256:{found}" != digest:
        raise LabError(
            attempted=attempted,
            seen=f"The registry served sha256:{found} as {digest}; nothing of it was kept",
            cause="A damaged download, or a registry or proxy that serves something else",
        )
