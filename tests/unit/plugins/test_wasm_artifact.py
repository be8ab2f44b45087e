"""What a Wasm module looks like in a registry, and what has to be done for it."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _wasm_registry
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_artifact import (
    Artifact,
    Step,
    krustlet_artifact,
    oci_artifact,
    read_module,
    result,
)
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import Address
from edgelab.core.errors import LabError

MODULE = b"\0asm\1\0\0\0 and more"
SHA = "sha256:" + hashlib.sha256(MODULE).hexdigest()


def test_krustlet_gets_no_media_type_in_the_manifest() -> None:
    made = krustlet_artifact("repo", "v1", MODULE)
    assert json.loads(made.manifest or b"") == {
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.wasm.config.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
        },
        "layers": [{"mediaType": "application/vnd.wasm.content.layer.v1+wasm", "digest": SHA, "size": len(MODULE)}],
    }


def test_oci_has_the_cncf_media_types() -> None:
    made = oci_artifact("repo", "v1", MODULE)
    manifest = json.loads(made.manifest or b"")
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.wasm.config.v0+json"
    assert manifest["layers"] == [{"mediaType": "application/wasm", "digest": SHA, "size": len(MODULE)}]
    assert json.loads(made.blobs[0].content)["layerDigests"] == [SHA]


def test_the_digest_depends_on_the_module_and_the_format_alone() -> None:
    digests = {
        krustlet_artifact("a", "v1", MODULE).digest,
        krustlet_artifact("b", "v2", MODULE).digest,
        oci_artifact("a", "v1", MODULE).digest,
        krustlet_artifact("a", "v1", MODULE + b"x").digest,
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("found", "missing", "needed"),
    [("same", (), False), (None, "all", True), ("other", (), True), ("same", "all", True)],
)
def test_what_is_needed(found: str | None, missing: str, needed: bool) -> None:
    made = krustlet_artifact("repo", "v1", MODULE)
    now = made.digest if found == "same" else found
    assert Step(made, now, made.blobs if missing else ()).needed is needed


def test_a_tag_to_be_gone_is_needed_while_it_is_there() -> None:
    assert Step(Artifact("repo", "v1"), "sha256:x", ()).needed
    assert not Step(Artifact("repo", "v1"), None, ()).needed


def test_result_names_the_image_and_shows_only_what_changes() -> None:
    one, two = krustlet_artifact("one", "v1", MODULE), krustlet_artifact("two", "v1", MODULE)
    told = result("127.0.0.1:5000", [Step(one, one.digest, ()), Step(two, None, two.blobs)])
    assert told["changed"]
    assert told["artifacts"][0]["image"] == f"127.0.0.1:5000/one:v1@{one.digest}"
    assert told["diff"] == {"before": "two:v1 absent\n", "after": f"two:v1 {two.digest}\n"}


def test_result_names_lost_content() -> None:
    made = krustlet_artifact("one", "v1", MODULE)
    told = result("r", [Step(made, made.digest, made.blobs[1:])])
    assert told["diff"]["before"] == f"one:v1 {made.digest}, without {SHA}\n"


@pytest.mark.parametrize("content", [b"", b"\0as", b"#!/bin/sh", b"\0asm\x0d\0\1\0"])
def test_what_is_not_a_core_module_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "module.wasm"
    path.write_bytes(content)
    with pytest.raises(LabError, match="a core module begins with"):
        read_module(path)


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"absent\.wasm"):
        read_module(tmp_path / "absent.wasm")


def test_without_its_ca_there_is_no_registry_yet(tmp_path: Path) -> None:
    made = krustlet_artifact("repo", "v1", MODULE)
    nowhere = Address("127.0.0.1:1", tmp_path / "ca.crt")
    told = _wasm_registry.ensure(nowhere, [made], dry_run=True)
    assert told["changed"]
    assert told["artifacts"][0]["digest"] == made.digest

    for dry_run in (True, False):
        gone = _wasm_registry.ensure(nowhere, [Artifact("r", "v")], dry_run=dry_run)
        assert not gone["changed"]


def test_without_a_client_certificate_it_asks_for_there_is_no_registry_yet(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").touch()
    address = Address("127.0.0.1:1", tmp_path / "ca.crt", (tmp_path / "client.crt", tmp_path / "client.key"))
    told = _wasm_registry.ensure(address, [krustlet_artifact("repo", "v1", MODULE)], dry_run=True)
    assert told["changed"]


@pytest.mark.parametrize(
    ("address", "before", "after"),
    [
        ("127.0.0.1:5000", "example.org", "example.org,127.0.0.1"),
        ("localhost:5000", "", "localhost"),
        ("[::1]:5000", "", "::1"),
        ("10.89.0.1:5000", "", "10.89.0.1"),
        ("registry.example.org:443", "example.com", "example.com"),
    ],
)
def test_a_registry_nearby_is_never_asked_for_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, address: str, before: str, after: str
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("no_proxy", before)
    _wasm_registry.Registry(Address(address))
    assert os.environ["no_proxy"] == after
