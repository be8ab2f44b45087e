"""Names, manifests and credentials of images."""

import base64
import json
from typing import Any

import pytest
from edgelab.node.images.credentials import Credentials, credentials_for
from edgelab.node.images.errors import ImageError
from edgelab.node.images.manifest import LARGEST_MODULE, Layer, wasm_layer
from edgelab.node.images.reference import Reference, parse

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("127.0.0.1:5000/hello:v1", Reference("127.0.0.1:5000", "hello", "v1")),
        ("example.com/a/b-c/d_e", Reference("example.com", "a/b-c/d_e", "latest")),
        ("localhost/x", Reference("localhost", "x", "latest")),
        ("[::1]:5000/x:v1", Reference("[::1]:5000", "x", "v1")),
        (f"r.io/x@{DIGEST}", Reference("r.io", "x", "latest", DIGEST)),
        (f"r.io/x:v1@{DIGEST}", Reference("r.io", "x", "v1", DIGEST)),
    ],
)
def test_names(text: str, reference: Reference) -> None:
    assert parse(text) == reference


@pytest.mark.parametrize("text", ["nginx", "nginx:1.25", "library/nginx"])
def test_there_is_no_default_registry(text: str) -> None:
    with pytest.raises(ImageError, match="no registry") as caught:
        parse(text)
    assert caught.value.reason == "InvalidImageName"


@pytest.mark.parametrize(
    "text", ["", "r.io/", "r.io/UPPER", "r.io/x:", "r.io/x@sha256:12", "https://r.io/x", "r.io/../x"]
)
def test_malformed_names(text: str) -> None:
    with pytest.raises(ImageError):
        parse(text)


def manifest(*media_types: str, size: int = 10, **more: Any) -> bytes:
    layers = [{"mediaType": kind, "digest": f"sha256:{index}", "size": size} for index, kind in enumerate(media_types)]
    return json.dumps({"schemaVersion": 2, "layers": layers} | more).encode()


@pytest.mark.parametrize("kind", ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"])
@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ],
)
def test_modules_are_found_in_every_kind_of_manifest(kind: str, media_type: str | None) -> None:
    content = manifest("text/plain", kind, **({"mediaType": media_type} if media_type else {}))
    assert wasm_layer("r/i", content) == Layer("sha256:1", 10)


def test_a_container_image_is_told_from_a_module() -> None:
    with pytest.raises(ImageError, match="runs WebAssembly modules") as caught:
        wasm_layer("r/i", manifest("application/vnd.oci.image.layer.v1.tar+gzip"))
    assert caught.value.reason == "UnsupportedImage"


def test_an_image_index_is_a_container_image() -> None:
    with pytest.raises(ImageError, match="image index"):
        wasm_layer("r/i", json.dumps({"schemaVersion": 2, "manifests": []}).encode())


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"schemaVersion": 1}'])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ImageError, match="not a manifest"):
        wasm_layer("r/i", content)


def test_a_module_has_a_largest_size() -> None:
    with pytest.raises(ImageError, match="at most"):
        wasm_layer("r/i", manifest("application/wasm", size=LARGEST_MODULE + 1))


def docker(**auths: Any) -> bytes:
    return json.dumps({"auths": auths}).encode()


def test_credentials_in_both_forms() -> None:
    encoded = base64.b64encode(b"me:p:w").decode()
    assert credentials_for("r.io", [docker(**{"r.io": {"auth": encoded}})]) == Credentials("me", "p:w")
    plain = docker(**{"https://r.io/v1/": {"username": "me", "password": "pw"}})
    assert credentials_for("r.io", [plain]) == Credentials("me", "pw")


def test_credentials_of_other_registries_and_malformed_ones_are_passed_over() -> None:
    broken = [b"", b"[]", b'{"auths": 3}', docker(**{"r.io": {"auth": "%%%"}}), docker(**{"r.io": 3})]
    other = docker(**{"other.io": {"username": "me", "password": "pw"}})
    assert credentials_for("r.io", [*broken, other]) is None
    good = docker(**{"r.io": {"username": "me", "password": "pw"}})
    assert credentials_for("r.io", [*broken, good]) == Credentials("me", "pw")


def test_a_password_is_not_shown() -> None:
    assert "pw" not in repr(Credentials("me", "pw"))
