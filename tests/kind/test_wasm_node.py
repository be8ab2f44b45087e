"""The Wasm node of the machine in a cluster of containers: joined through the bridge, asked through the API server."""

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machine
import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_artifact import krustlet_artifact
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import Address, ensure
from edgelab.core.errors import LabError
from labkit import ROOT, Lab, eventually

NODE = "krustlet-wasi"
HELLO = "hello-through-the-bridge"


@pytest.fixture(scope="module")
def node(kind_lab: Lab) -> dict[str, Any]:
    """The Wasm node's object."""
    found: dict[str, Any] = kind_lab.get("node", NODE)
    return found


@pytest.fixture(scope="module")
def address(node: dict[str, Any]) -> str:
    """Where the cluster reaches the node."""
    return next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")


@pytest.fixture(scope="module")
def registry(kind_lab: Lab, address: str) -> Address:
    """The lab's registry, with what it asks of its clients."""
    pki = kind_lab.layout.pki
    client = (pki / "registry-client.crt", pki / "registry-client.key")
    return Address(f"{address}:{kind_lab.ports['registry']}", pki / "ca.crt", client)


@pytest.fixture(scope="module")
def image(registry: Address) -> str:
    """A Wasm module in the registry, by digest."""
    module = (ROOT / "wasm" / "hello.wasm").read_bytes()
    pushed = ensure(registry, [krustlet_artifact("test/hello", "v1", module)], dry_run=False)
    return str(pushed["artifacts"][0]["image"])


@pytest.fixture
def pod(kind_lab: Lab, image: str) -> Iterator[str]:
    """A Pod of that module on the Wasm node."""
    tolerations = [{"key": "kubernetes.io/arch", "operator": "Equal", "value": "wasm32-wasi"}]
    environment = [{"name": "DEBUG_ECHO_DESCRIPTION", "value": "foo0"}]
    spec = {
        "containers": [{"name": "hello", "image": image, "env": environment}],
        "nodeSelector": {"kubernetes.io/arch": "wasm32-wasi"},
        "tolerations": tolerations,
    }
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": HELLO}, "spec": spec}
    path = kind_lab.home / "pod.json"
    path.write_text(json.dumps(manifest))
    kind_lab.kubectl("apply", "-f", str(path))
    yield HELLO
    kind_lab.kubectl("delete", "pod", HELLO)


def test_it_joined_at_the_gateway_of_the_engines_network(kind_lab: Lab, node: dict[str, Any], address: str) -> None:
    networks = json.loads(machine.podman("network", "inspect", "kind").stdout)
    assert address in [subnet["gateway"] for network in networks for subnet in network["subnets"]]
    conditions = {each["type"]: each["status"] for each in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert node["metadata"]["labels"]["kubernetes.io/arch"] == "wasm32-wasi"
    assert {taint["effect"] for taint in node["spec"]["taints"] if taint["key"] == "kubernetes.io/arch"} == {
        "NoSchedule",
        "NoExecute",
    }
    others = [each for each in kind_lab.get("nodes")["items"] if each["metadata"]["name"] != NODE]
    assert others, "there is a node that runs containers"


def test_it_says_nothing_about_addresses_of_pods(kind_lab: Lab) -> None:
    managed = kind_lab.get("node", NODE, "--show-managed-fields")["metadata"]["managedFields"]
    writers = {each["manager"] for each in managed if "f:podCIDR" in each["fieldsV1"].get("f:spec", {})}
    assert writers <= {"kube-controller-manager"}


def test_logs_come_through_the_api_server_in_its_container(kind_lab: Lab, pod: str) -> None:
    # A container that has not started yet has no log, which kubectl says in words, too.
    eventually(lambda: "foo0" in kind_lab.kubectl("logs", pod, check=False), within=60, what="the Pod's log")


def test_nobody_reads_logs_without_a_certificate(kind_lab: Lab, address: str, pod: str) -> None:
    context = ssl.create_default_context(cafile=kind_lab.layout.pki / "cluster-ca.crt")
    url = f"https://{address}:{kind_lab.ports['node']}/containerLogs/default/{pod}/hello"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(url, timeout=10)
    assert refused.value.code == 401


def test_nobody_uses_the_registry_without_a_certificate(registry: Address, image: str) -> None:
    assert image.startswith(registry.host)
    with pytest.raises(LabError, match="certificate"):
        ensure(
            Address(registry.host, registry.ca), [krustlet_artifact("test/x", "v1", b"\0asm\1\0\0\0")], dry_run=False
        )


def test_containerd_in_the_nodes_reaches_the_registry(kind_lab: Lab, image: str) -> None:
    container = f"edgelab-{kind_lab.name}-control-plane"
    fetch = ["ctr", "content", "fetch", "--hosts-dir", "/etc/containerd/certs.d", image]
    assert machine.podman("exec", container, *fetch).returncode == 0
    without = machine.podman("exec", container, "ctr", "content", "fetch", image, check=False)
    assert without.returncode != 0


def test_a_second_run_changes_nothing(kind_lab: Lab) -> None:
    again = kind_lab.playbook("up.yml")
    assert again.recap()["changed"] == 0, again.changed_tasks()


def test_a_node_that_was_killed_comes_back_by_itself(kind_lab: Lab, pod: str) -> None:
    eventually(lambda: kind_lab.kubectl("logs", pod, check=False), within=60, what="the Pod's log")
    before = kind_lab.pid("node")
    subprocess.run(["kill", "-KILL", str(before)], check=True)
    eventually(lambda: kind_lab.pid("node") not in (0, before), what="the node's process to come back")
    eventually(lambda: kind_lab.ready("node"), within=60, what="the node to be ready")
    assert kind_lab.kubectl("logs", pod)
    assert kind_lab.get("pod", pod)["status"]["containerStatuses"][0]["restartCount"] == 0


def test_secrets_are_for_their_owner_alone(kind_lab: Lab, registry: Address) -> None:
    assert registry.client
    copies = list((kind_lab.layout.state / "kind" / "certs.d").glob("*/client.key"))
    assert copies
    keys: list[Path] = [registry.client[1], *copies]
    assert [path.stat().st_mode & 0o777 for path in keys] == [0o600] * len(keys)
