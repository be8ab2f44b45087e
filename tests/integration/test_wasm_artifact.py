"""The module wasm_artifact against the lab's real registry."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_artifact import (
    MANIFEST,
    Artifact,
    krustlet_artifact,
    oci_artifact,
)
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import Address, UnreachableError, ensure
from edgelab.core.errors import LabError

pytestmark = pytest.mark.lab

MODULE = b"\0asm\1\0\0\0"


class Pushed:
    """One registry, one repository of its own for a test."""

    def __init__(self, registry: tuple[str, Path], repository: str) -> None:
        self.address, self.ca_path = registry
        self.repository = repository

    def ensure(self, *artifacts: Artifact, dry_run: bool = False) -> dict[str, Any]:
        return ensure(Address(self.address, self.ca_path), artifacts, dry_run=dry_run)

    def get(self, path: str) -> requests.Response:
        url = f"https://{self.address}/v2/{self.repository}/{path}"
        return requests.get(url, headers={"Accept": MANIFEST}, verify=str(self.ca_path), timeout=10)


@pytest.fixture
def pushed(registry: tuple[str, Path], tmp_path: Path) -> Pushed:
    return Pushed(registry, f"test/{tmp_path.name.replace('_', '-').lower()}")


@pytest.mark.parametrize("form", [krustlet_artifact, oci_artifact])
def test_absent_present_again_absent(pushed: Pushed, form: Any) -> None:
    wanted, gone = form(pushed.repository, "v1", MODULE), Artifact(pushed.repository, "v1")
    create_check = pushed.ensure(wanted, dry_run=True)
    absent_still = pushed.get("manifests/v1").status_code
    create = pushed.ensure(wanted)
    manifest = pushed.get("manifests/v1")
    again = pushed.ensure(wanted)
    remove_check = pushed.ensure(gone, dry_run=True)
    remove = pushed.ensure(gone)
    remove_again = pushed.ensure(gone)

    assert create_check == create
    assert absent_still == 404
    assert [each["changed"] for each in (create, again, remove_check, remove, remove_again)] == [
        True, False, True, True, False,
    ]  # fmt: skip
    assert manifest.content == wanted.manifest
    assert manifest.headers["Docker-Content-Digest"] == create["artifacts"][0]["digest"]
    assert pushed.get("manifests/v1").status_code == 404
    assert pushed.get(f"blobs/{wanted.blobs[1].digest}").content == MODULE


def test_a_changed_module_moves_its_tag(pushed: Pushed) -> None:
    pushed.ensure(krustlet_artifact(pushed.repository, "v1", MODULE))
    changed = krustlet_artifact(pushed.repository, "v1", MODULE + b"\0\1a")
    result = pushed.ensure(changed)
    assert result["changed"]
    assert pushed.get("manifests/v1").content == changed.manifest


def test_removing_a_tag_leaves_its_twin(pushed: Pushed) -> None:
    pushed.ensure(*(krustlet_artifact(pushed.repository, tag, MODULE) for tag in ("v1", "v2")))
    pushed.ensure(Artifact(pushed.repository, "v1"))
    assert [pushed.get(f"manifests/{tag}").status_code for tag in ("v1", "v2")] == [404, 200]


def test_only_what_was_damaged_is_pushed_again(pushed: Pushed) -> None:
    whole = krustlet_artifact(pushed.repository, "whole", MODULE)
    damaged = krustlet_artifact(pushed.repository, "damaged", MODULE)
    pushed.ensure(whole, damaged)
    pushed.ensure(Artifact(pushed.repository, "damaged"))
    result = pushed.ensure(whole, damaged)
    assert result["diff"]["before"] == f"{pushed.repository}:damaged absent\n"
    assert not pushed.ensure(whole, damaged)["changed"]


def test_a_wrong_ca_is_told(pushed: Pushed, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="Give the certificate authority of the registry as ca_path"):
        ensure(Address(pushed.address), [krustlet_artifact(pushed.repository, "v1", MODULE)], dry_run=False)


def test_manifest_is_json_with_the_media_types_of_wasm_to_oci(pushed: Pushed) -> None:
    pushed.ensure(krustlet_artifact(pushed.repository, "v1", MODULE))
    manifest = json.loads(pushed.get("manifests/v1").content)
    assert "mediaType" not in manifest
    assert manifest["config"]["mediaType"] == "application/vnd.wasm.config.v1+json"
    assert [layer["mediaType"] for layer in manifest["layers"]] == ["application/vnd.wasm.content.layer.v1+wasm"]


def test_unreachable_is_a_warning_in_check_mode_only(pushed: Pushed) -> None:
    artifact = krustlet_artifact(pushed.repository, "v1", MODULE)
    nobody = Address("127.0.0.1:1", pushed.ca_path)
    checked = ensure(nobody, [artifact], dry_run=True)
    assert not checked["changed"]
    assert "The registry does not run" in checked["warnings"][0]
    with pytest.raises(UnreachableError):
        ensure(nobody, [artifact], dry_run=False)
