# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The image for the sandbox of each Pod, made on the node, so that no registry has to have it.

A sandbox holds a Pod's namespaces and only waits: the distribution's catatonit does that (`-P`), and reaps what it
inherits. It is linked statically, so the image is that one file, as an OCI image layout that containerd imports.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._host import command

_OCI = "application/vnd.oci.image"
_PROGRAM = Path("/usr/bin/catatonit")
_CTR = ("ctr", "--namespace", "k8s.io", "images")


def has(name: str) -> bool:
    """Whether containerd, which must run, has an image of this name."""
    return name in command([*_CTR, "ls", "-q"]).split()


def make(name: str, architecture: str, scratch: Path) -> None:
    """Put the image into containerd."""
    path = scratch / "pause.tar"
    path.write_bytes(archive(name, architecture, _PROGRAM.read_bytes()))
    command([*_CTR, "import", str(path)])
    path.unlink()


def archive(name: str, architecture: str, program: bytes) -> bytes:
    """An image that consists of one program, which waits."""
    layer = _tar({"catatonit": program}, mode=0o755)
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/catatonit", "-P"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor("config.v1+json", config),
            "layers": [_descriptor("layer.v1.tar", layer)],
        }
    )
    named = {**_descriptor("manifest.v1+json", manifest), "annotations": {"io.containerd.image.name": name}}
    index = _json({"schemaVersion": 2, "manifests": [named]})
    blobs = {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (layer, config, manifest)}
    return _tar({"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index, **blobs}, mode=0o644)


def _tar(members: dict[str, bytes], *, mode: int) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": f"{_OCI}.{kind}", "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
