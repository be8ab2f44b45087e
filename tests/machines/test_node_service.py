"""The Wasm node as a service of a machine that has systemd."""

from machines.conftest import RemoteLab

UNIT = "edgelab-far-node.service"


def test_the_node_is_a_service_with_few_rights(remote: RemoteLab) -> None:
    """It joins, runs the demo's Pods, keeps them when it restarts, and leaves no unit behind."""
    given = {"krustlet_service": "systemd"}
    made = remote.playbook("site.yml", **given)
    assert "Pod is running and using debugEcho device named" in made.output
    properties = ["NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "ActiveState=active"]
    names = [f"--property={each.split('=')[0]}" for each in properties]
    shown = remote.machine.ssh("systemctl", "show", UNIT, *names).split()
    assert set(properties) == set(shown)

    before = containers(remote)
    remote.machine.ssh("systemctl", "restart", UNIT)
    assert remote.recap(remote.playbook("site.yml", **given))["changed"] == 0
    assert before
    assert before <= containers(remote)

    remote.playbook("down.yml")
    assert UNIT not in remote.machine.ssh("systemctl", "list-unit-files", "--no-pager")


def containers(remote: RemoteLab) -> set[str]:
    """Process ids of the zygotes that nodes made, and of the containers that these made."""
    return set(remote.machine.ssh("pgrep", "-f", "edgelab.node.containers.zygote").split())
