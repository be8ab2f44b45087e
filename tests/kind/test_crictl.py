"""crictl in a node of Kind: the role's entry point `node`, which finds the real containerd there."""

import json
from collections.abc import Iterator
from typing import Any

import machine
import pytest
from labkit import Lab, Result

PATH = "/etc/crictl-of-the-tests.yaml"
USERS = "timeout: 7\nruntime-endpoint: unix:///run/crio/crio.sock\n"


@pytest.fixture
def node(kind_lab: Lab) -> Iterator[list[str]]:
    """What to put before a command to run it in the node; a configuration of the user's is there."""
    name = f"edgelab-{kind_lab.name}-control-plane"
    machine.podman("exec", name, "sh", "-c", f"printf '{USERS}' > {PATH}")
    yield ["podman", "exec", name]
    machine.podman("exec", name, "sh", "-c", f"rm -f {PATH}*")


def ansible(lab: Lab, module: str, arguments: str, **variables: Any) -> Result:
    return lab.run(["ansible", "localhost", "-m", module, "-a", arguments, "-e", json.dumps(variables)])


def test_it_finds_containerd_and_the_users_configuration_comes_back(kind_lab: Lab, node: list[str]) -> None:
    given = {"lab_cluster_facts": {"node_command": node}, "crictl_configuration": PATH}
    role = "name=edgelab.akri.crictl tasks_from=node"
    first, again = (ansible(kind_lab, "include_role", role, **given) for _run in range(2))
    assert "changed: true" in first.output
    assert "changed: false" in again.output
    written = machine.podman(*node[1:], "cat", PATH).stdout
    assert "runtime-endpoint: unix:///run/containerd/containerd.sock" in written
    assert "timeout: 7" in written

    options = json.dumps({"path": PATH, "command": node, "state": "absent"})
    ansible(kind_lab, "edgelab.akri.crictl_config", options)
    assert machine.podman(*node[1:], "cat", PATH).stdout == USERS
    assert machine.podman(*node[1:], "ls", "/etc").stdout.count("crictl-of-the-tests") == 1


def test_crictl_talks_to_containerd(kind_lab: Lab, node: list[str]) -> None:
    if machine.podman(*node[1:], "which", "crictl", check=False).returncode:
        pytest.skip("no crictl in the node image")
    given = {"lab_cluster_facts": {"node_command": node}, "crictl_configuration": PATH}
    ansible(kind_lab, "include_role", "name=edgelab.akri.crictl tasks_from=node", **given)
    assert "containerd" in machine.podman(*node[1:], "crictl", "--config", PATH, "version").stdout
