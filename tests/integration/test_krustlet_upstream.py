"""The role krustlet with a Krustlet that the user names: here a stand-in for it, on a real control plane."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from labkit import ROOT, Lab, eventually, new_lab

pytestmark = pytest.mark.lab

NODE = "krustlet-wasi"
POD = "anything"


@pytest.fixture(scope="module")
def krustlet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in as a program."""
    standins = ROOT / "tests" / "standins"
    path = tmp_path_factory.mktemp("krustlet") / "krustlet-wasi"
    path.write_text(
        f"#!{sys.executable}\nimport runpy, sys\nsys.path.insert(0, {str(standins)!r})\n"
        f"runpy.run_path({str(standins / 'krustlet.py')!r}, run_name='__main__')\n"
    )
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def upstream(krustlet: Path) -> Iterator[Lab]:
    """A lab with that node; check mode came first."""
    made = new_lab("upstream", krustlet_implementation="upstream", krustlet_binary=str(krustlet))
    checked = made.playbook("up.yml", "--check")
    try:
        built = made.playbook("up.yml")
        assert checked.changed_tasks() == built.changed_tasks()
        yield made
    finally:
        made.remove()


@pytest.fixture
def pod(upstream: Lab) -> str:
    """A Pod on the node, which the stand-in does not run."""
    toleration = {"key": "kubernetes.io/arch", "operator": "Equal", "value": "wasm32-wasi"}
    spec = {
        "containers": [{"name": "main", "image": "localhost/none"}],
        "tolerations": [toleration],
        "nodeSelector": {"type": "krustlet"},
    }
    path = upstream.home / "pod.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}))
    upstream.kubectl("apply", "-f", str(path))
    eventually(lambda: upstream.get("pod", POD)["spec"].get("nodeName"), what="the Pod to be bound")
    return POD


def test_the_node_is_as_krustlet_registers_it(upstream: Lab) -> None:
    node = upstream.get("node", NODE)
    expected = {
        **dict.fromkeys(("beta.kubernetes.io/arch", "kubernetes.io/arch", "kubernetes.io/os"), "wasm32-wasi"),
        "type": "krustlet",
        "kubernetes.io/hostname": NODE,
    }
    assert expected.items() <= node["metadata"]["labels"].items()
    assert node["status"]["addresses"][0] == {"type": "InternalIP", "address": "127.0.0.1"}
    assert node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == upstream.ports["node"]


def test_its_identity_is_in_its_own_directory(upstream: Lab) -> None:
    config = upstream.layout.state / "node" / "config"
    assert {path.name for path in config.iterdir()} == {"kubeconfig", "krustlet.crt", "krustlet.key"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in config.glob("k*[gy]"))


def test_logs_come_through_the_api_server(upstream: Lab, pod: str) -> None:
    assert "stand-in for Krustlet" in upstream.kubectl("logs", pod)


def test_it_may_ask_for_the_tokens_it_asks_for(upstream: Lab) -> None:
    user = f"--as=system:node:{NODE}"
    answer = upstream.kubectl(
        "auth", "can-i", "request-serviceaccounts-token-audience", "api", user, "--as-group=system:nodes", check=False
    )
    assert answer.splitlines()[-1] == "yes"


def test_a_second_run_changes_nothing(upstream: Lab) -> None:
    assert upstream.playbook("up.yml").recap()["changed"] == 0


def test_a_krustlet_that_lost_its_identity_bootstraps_anew(upstream: Lab) -> None:
    """The answers to its earlier requests are still there, for keys that it no longer has."""
    identity = upstream.layout.state / "node" / "config" / "kubeconfig"
    before = yaml.safe_load(identity.read_text())
    identity.unlink()
    (identity.parent / "krustlet.crt").unlink()
    upstream.playbook("up.yml")
    assert yaml.safe_load(identity.read_text()) != before
    assert upstream.playbook("up.yml").recap()["changed"] == 0


def test_it_is_ended_by_sigint_and_deletes_its_pods(upstream: Lab, pod: str) -> None:
    uid = upstream.get("pod", pod)["metadata"]["uid"]
    arguments = f"state_dir={upstream.layout.state} run_dir={upstream.layout.run} names=node state=absent"
    upstream.run(["ansible", "localhost", "-m", "edgelab.akri.lab_processes", "-a", arguments])
    assert uid not in upstream.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}")
    upstream.playbook("up.yml")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"krustlet_binary": ""}, "name a Krustlet by krustlet_binary"),
        ({"krustlet_binary": "", "krustlet_binary_url": "https://127.0.0.1/krustlet"}, "krustlet_binary_sha256"),
        ({"registry_ask_clients": True}, "Set registry_ask_clients to false"),
        ({"krustlet_binary": "/nowhere/krustlet"}, "not a file that can be executed"),
    ],
    ids=["nowhere", "without digest", "registry", "no program"],
)
def test_what_krustlet_cannot_do_is_told(upstream: Lab, variables: dict[str, Any], said: str) -> None:
    refused = upstream.playbook("up.yml", check=False, **variables)
    assert refused.status != 0
    assert said in " ".join(refused.output.split())


def test_clashing_addresses_of_pods_are_told(upstream: Lab) -> None:
    other = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker"}, "spec": {"podCIDR": "10.244.0.0/24"}}
    path = upstream.home / "node.json"
    path.write_text(json.dumps(other | {"spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]}}))
    upstream.kubectl("apply", "-f", str(path))
    try:
        refused = upstream.playbook("up.yml", check=False)
    finally:
        upstream.kubectl("delete", "node", "worker")
    assert "kind_host_pod_subnet" in refused.output
    assert "worker has addresses of it" in " ".join(refused.output.split())


def test_a_capacity_that_krustlet_passes_over_is_told(upstream: Lab) -> None:
    refused = upstream.playbook("site.yml", check=False, demo_wasm_debug_echo_capacity=1)
    assert "Raise it" in refused.output
