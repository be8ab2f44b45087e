# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a Wasm module looks like in an OCI registry, and what has to be done for it to be there. No registry is asked.

A manifest has no time in it, so a module's digest follows from its bytes and its format alone: it is known before
anything is pushed, and two machines push the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    from edgelab.core.errors import LabError
except ImportError:  # said by _lab_module.run
    LabError = Exception  # type: ignore[assignment,misc]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MAGIC = b"\0asm\1\0\0\0"
"""How a core module begins; a component has another version there."""


@dataclass(frozen=True)
class Blob:
    """Content that a manifest refers to."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """The name of the content in a registry."""
        return _digest(self.content)

    @property
    def descriptor(self) -> dict[str, Any]:
        """The content as a manifest refers to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True)
class Artifact:
    """A tag of a repository and what it is to lead to; without a manifest it is to be gone."""

    repository: str
    tag: str
    blobs: tuple[Blob, ...] = ()
    manifest: bytes | None = None

    @property
    def digest(self) -> str | None:
        """The manifest's digest, by which the module is pulled."""
        return None if self.manifest is None else _digest(self.manifest)


@dataclass(frozen=True)
class Step:
    """What an artifact lacks: the digest that its tag has now, and the blobs that the registry has not."""

    artifact: Artifact
    found: str | None
    missing: tuple[Blob, ...]

    @property
    def needed(self) -> bool:
        """Something is to be done."""
        return bool(self.missing) or self.found != self.artifact.digest


def read_module(path: Path) -> bytes:
    """The bytes of a Wasm core module. Raises LabError when the file is not one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LabError(attempted=f"Read the Wasm module {path}", seen=str(error)) from error
    if not content.startswith(MAGIC):
        raise LabError(
            attempted=f"Read the Wasm module {path}",
            seen=f"It begins with {content[:8]!r}; a core module begins with {MAGIC!r}",
            remedy="Give a .wasm file built for WASI preview 1; components (preview 2) cannot run on the Wasm node",
        )
    return content


def krustlet_artifact(repository: str, tag: str, module: bytes) -> Artifact:
    """A module as wasm-to-oci pushes it and Krustlet pulls it.

    The manifest has no mediaType field: Krustlet refuses one with OCI's media type in it.
    """
    layer = Blob("application/vnd.wasm.content.layer.v1+wasm", module)
    config = Blob("application/vnd.wasm.config.v1+json", b"{}")
    return _artifact(repository, tag, config, layer, {"schemaVersion": 2})


def oci_artifact(repository: str, tag: str, module: bytes) -> Artifact:
    """A module as the CNCF's Wasm OCI artifact format has it; its time of creation is left at the epoch."""
    layer = Blob("application/wasm", module)
    content = {
        "created": "1970-01-01T00:00:00Z",
        "architecture": "wasm",
        "os": "wasip1",
        "layerDigests": [layer.digest],
    }
    config = Blob("application/vnd.wasm.config.v0+json", _compact(content))
    return _artifact(repository, tag, config, layer, {"schemaVersion": 2, "mediaType": MANIFEST})


def result(registry: str, steps: Sequence[Step]) -> dict[str, Any]:
    """What the module returns for steps that were (or in check mode would be) taken."""
    needed = [step for step in steps if step.needed]
    return {
        "changed": bool(needed),
        "artifacts": [_described(registry, step.artifact) for step in steps],
        "diff": {
            "before": "".join(_line(step.artifact, step.found, step.missing) for step in needed),
            "after": "".join(_line(step.artifact, step.artifact.digest, ()) for step in needed),
        },
    }


def _artifact(repository: str, tag: str, config: Blob, layer: Blob, head: dict[str, Any]) -> Artifact:
    manifest = _compact({**head, "config": config.descriptor, "layers": [layer.descriptor]})
    return Artifact(repository, tag, (config, layer), manifest)


def _described(registry: str, artifact: Artifact) -> dict[str, Any]:
    described: dict[str, Any] = {"repository": artifact.repository, "tag": artifact.tag}
    if artifact.digest:
        described["digest"] = artifact.digest
        described["image"] = f"{registry}/{artifact.repository}:{artifact.tag}@{artifact.digest}"
    return described


def _line(artifact: Artifact, digest: str | None, missing: Sequence[Blob]) -> str:
    lack = f", without {', '.join(blob.digest for blob in missing)}" if digest and missing else ""
    return f"{artifact.repository}:{artifact.tag} {digest or 'absent'}{lack}\n"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
