"""Reading manifests: which layer of an artifact is the WebAssembly module.

Accepted are the manifests of Docker v2 and OCI v1, the latter with and without its `mediaType`, and the layers that
wasm-to-oci and the CNCF's Wasm OCI artifact format write.
"""

import json
from dataclasses import dataclass
from typing import Any

from edgelab.node.images.errors import refused, unsupported

WASM_LAYERS = ("application/vnd.wasm.content.layer.v1+wasm", "application/wasm")
"""Media types of a layer that is a module: wasm-to-oci's, and the CNCF's."""

LARGEST_MODULE = 256 * 1024 * 1024
"""Bytes; Go's modules, the largest in common use, have a few million."""

LARGEST_MANIFEST = 4 * 1024 * 1024

_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A blob of the registry, by digest; size in bytes."""

    digest: str
    size: int


def wasm_layer(reference: str, content: bytes) -> Layer:
    """The module of an artifact: its first Wasm layer, as Krustlet takes it. Raises ImageError when it has none."""
    manifest = _parse(reference, content)
    if "manifests" in manifest or manifest.get("mediaType") in _INDEX_TYPES:
        raise unsupported(reference, "It is an image index, that is a container image for several platforms")
    layers = [layer for layer in manifest.get("layers") or () if layer.get("mediaType") in WASM_LAYERS]
    if not layers:
        raise unsupported(reference, f"It has no Wasm layer; its layers are {_types(manifest)}")
    layer = Layer(str(layers[0].get("digest")), int(layers[0].get("size") or 0))
    if not layer.digest.startswith("sha256:"):
        raise refused(reference, f"The digest {layer.digest!r} is not a sha256 one")
    if layer.size > LARGEST_MODULE:
        raise refused(reference, f"The module has {layer.size} bytes; this node takes {LARGEST_MODULE} at most")
    return layer


def _parse(reference: str, content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("schemaVersion") != 2:
        raise refused(reference, "The registry's answer is not a manifest of schema version 2")
    return manifest


def _types(manifest: dict[str, Any]) -> str:
    return ", ".join(sorted({str(layer.get("mediaType")) for layer in manifest.get("layers") or ()})) or "none"
