"""Image archives with one layer, written without a container engine; podman and containerd load them.

An archive is a tar file of an OCI image layout: blobs named by their digests, `oci-layout` and `index.json`.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Image:
    """What an image says about itself: its name, and how it is started."""

    name: str
    entrypoint: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "SIGTERM"


def layer(target: Path, files: Mapping[str, Path], links: Mapping[str, str] | None = None) -> None:
    """Write a layer of files (path in the image → file here) and symbolic links (path → where it points)."""
    with tarfile.open(target, "w") as archive:
        for name, source in files.items():
            entry = archive.gettarinfo(source, name)
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            if not entry.isreg():
                archive.addfile(entry)
                continue
            with source.open("rb") as stream:
                archive.addfile(entry, stream)
        for name, points_to in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, points_to
            archive.addfile(entry)


def archive(target: Path, image: Image, layer: Path) -> None:
    """Write the archive of an image that consists of one layer, a tar file."""
    with layer.open("rb") as stream:
        digest = "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
    config = _json(_config(image, digest))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [{"mediaType": _LAYER, "digest": digest, "size": layer.stat().st_size}],
        }
    )
    # containerd takes the first annotation for the name, podman the second.
    names = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name}
    index = {"schemaVersion": 2, "manifests": [{**_descriptor(_MANIFEST, manifest), "annotations": names}]}
    with tarfile.open(target, "w") as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json(index))
        _add(tar, _blob(_descriptor(_CONFIG, config)["digest"]), config)
        _add(tar, _blob(_descriptor(_MANIFEST, manifest)["digest"]), manifest)
        tar.add(layer, _blob(digest))


def _config(image: Image, diff_id: str) -> dict[str, Any]:
    return {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Env": [f"{key}={value}" for key, value in image.environment.items()],
            "StopSignal": image.stop_signal,
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
