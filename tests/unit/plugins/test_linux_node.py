"""What a machine is to hold that is a node, what it says of itself, and the image that is made on it."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node as linux_node
from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node_api as api
from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node_host as host
from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node_image as image
from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node_model as model

SERVER = "https://192.0.2.7:20001"
REGISTRY = model.Registry("192.0.2.7:20005", "CA", "CERTIFICATE", "KEY")
NODE = model.Node(
    name="edge",
    lab="default",
    address="192.0.2.20",
    pod_range="10.244.3.0/24",
    server=SERVER,
    ca="CA",
    bootstrap="TOKEN",
    registry=REGISTRY,
    pause_image=model.PAUSE,
    resolv_conf="/etc/resolv.conf",
)


def texts(node: model.Node) -> dict[str, str]:
    """All files that everybody may read, by their names."""
    groups = [*model.files(node).values(), model.read_at_use(node.registry)]
    return {path.name: text for group in groups for path, text in group.items()}


def test_pods_have_the_range_of_their_node_and_its_address_for_the_world() -> None:
    found = texts(NODE)
    plugin = json.loads(found["10-edgelab.conflist"])["plugins"][0]
    assert plugin["ipam"]["ranges"] == [[{"subnet": "10.244.3.0/24"}]]
    assert "ip saddr 10.244.3.0/24 ip daddr != 10.244.3.0/24 masquerade" in found["pods.nft"]
    assert json.loads(found["kube-proxy.json"])["clusterCIDR"] == "10.244.3.0/24"


def test_the_kubelet_asks_everybody_who_they_are_and_listens_on_its_address_alone() -> None:
    told = json.loads(texts(NODE)["kubelet.json"])
    assert told["address"] == "192.0.2.20"
    assert told["authentication"]["anonymous"] == {"enabled": False}
    assert told["authorization"] == {"mode": "Webhook"}


def test_what_only_root_may_read_is_nowhere_else() -> None:
    hidden = model.secrets(NODE)
    assert sorted(hidden.values()) == ["KEY", "TOKEN"]
    assert not {"KEY", "TOKEN"} & set(texts(NODE).values())


def test_a_node_that_has_joined_needs_no_token_and_a_registry_may_ask_for_nothing() -> None:
    assert model.secrets(replace(NODE, bootstrap="", registry=model.Registry("127.0.0.1:5000", "CA"))) == {}
    assert "client" not in texts(replace(NODE, registry=model.Registry("127.0.0.1:5000", "CA")))["hosts.toml"]


@pytest.mark.parametrize(
    ("changed", "services"),
    [
        ({"pod_range": "10.244.4.0/24"}, {"containerd", "kube-proxy"}),
        ({"address": "192.0.2.21"}, {"kubelet"}),
        ({"pause_image": "registry.k8s.io/pause:3.10"}, {"containerd"}),
        ({"ca": "OTHER"}, {"kubelet"}),
        ({"server": "https://192.0.2.8:20001"}, set()),
    ],
)
def test_a_change_concerns_the_services_that_read_it(changed: dict[str, str], services: set[str]) -> None:
    before, after = model.files(NODE), model.files(replace(NODE, **changed))
    assert {name for name in before if before[name] != after[name]} == services


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, "the kubelet has not told yet"),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, ""),
        (
            {
                "conditions": [
                    {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "no network"}
                ]
            },
            "KubeletNotReady: no network",
        ),
    ],
)
def test_readiness(status: dict[str, Any], said: str) -> None:
    assert api.readiness({"status": status}) == said


def test_the_image_for_sandboxes_is_one_program_whose_blobs_are_what_they_are_called() -> None:
    written = image.archive("edgelab.akri/pause:1", "arm64", b"PROGRAM")
    with tarfile.open(fileobj=io.BytesIO(written)) as tar:
        members = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    named = json.loads(members["index.json"])["manifests"][0]
    manifest = json.loads(members[blob(named)])
    config = json.loads(members[blob(manifest["config"])])
    assert named["annotations"] == {"io.containerd.image.name": "edgelab.akri/pause:1"}
    assert config["architecture"] == "arm64"
    assert config["config"]["Entrypoint"] == ["/catatonit", "-P"]
    with tarfile.open(fileobj=io.BytesIO(members[blob(manifest["layers"][0])])) as layer:
        assert [(member.name, member.mode) for member in layer] == [("catatonit", 0o755)]


def blob(descriptor: dict[str, Any]) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/')}"


def test_a_machine_of_another_lab_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_RECORD", tmp_path / "record.json")
    host.begin("garage")
    assert host.recorded() is not None
    assert "a node of the lab garage" in linux_node.look("default", SERVER, "CA")["obstacle"]
    assert linux_node.look("garage", SERVER, "CA")["obstacle"] == ""


def test_an_identity_of_another_cluster_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "IDENTITY", "CA", "SERVING"):
        monkeypatch.setattr(model, name, tmp_path / name)
    cluster = {"name": "lab", "cluster": {"certificate-authority-data": "Q0E=", "server": SERVER}}
    model.KUBECONFIG.write_text(yaml.safe_dump({"clusters": [cluster]}))
    model.IDENTITY.write_text("CERTIFICATE")
    model.CA.write_text("CA")
    assert linux_node.look("default", SERVER, "CA")["joined"]
    assert not linux_node.look("default", SERVER, "OTHER")["joined"]
    assert not linux_node.look("default", "https://192.0.2.7:20002", "CA")["joined"]


def test_mounts_are_found_innermost_first_and_with_their_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "30 1 0:26 / /var/lib/kubelet/pods/a rw - tmpfs tmpfs rw",
        "31 1 0:27 / /var/lib/kubelet/pods/a/b\\040c rw - tmpfs tmpfs rw",
        "32 1 0:28 / /run/netns/cni-4f rw - nsfs nsfs rw",
        "33 1 0:29 / /run/netns/mine rw - nsfs nsfs rw",
    ]
    monkeypatch.setattr(host, "read", lambda _path: "\n".join(lines))
    assert host.mounts() == ["/var/lib/kubelet/pods/a/b c", "/var/lib/kubelet/pods/a", "/run/netns/cni-4f"]


def test_programs_that_have_been_brought_are_known_by_their_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "PROGRAMS", tmp_path)
    (tmp_path / "kubelet").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert linux_node.look("default", SERVER, "CA")["programs"] == {"kubelet": digest}
