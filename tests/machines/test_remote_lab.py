"""`site.yml` on a machine that is reached by ssh."""

import json

from machines.conftest import RemoteLab
from machines.machine import Machine

STATE = "/root/.local/state/edgelab"


def test_life_of_a_lab_by_ssh(remote: RemoteLab) -> None:
    """Check mode tells what the run does, which proves the demo; again nothing changes; then nothing is left."""
    told = remote.playbook("site.yml", "--check")
    assert not remote.machine.ssh("ls", STATE, check=False).startswith("far")

    made = remote.playbook("site.yml")
    assert "Pod is running and using debugEcho device named" in made.output
    assert told.changed_tasks() == made.changed_tasks()

    again = remote.playbook("site.yml")
    assert remote.recap(again)["changed"] == 0
    holder = json.loads(remote.machine.ssh("cat", f"{STATE}/far/lock"))
    assert holder["controller"]
    assert remote.machine.ssh("ps", "-o", "comm=", "-p", str(holder["connection"][0])).startswith("sshd")

    told = remote.playbook("kubectl.yml").output
    kubectl = next(line.split("msg:")[1].strip() for line in told.splitlines() if line.strip().startswith("msg:"))
    assert kubectl.startswith("/root/.cache/edgelab/bin/kubectl-")
    assert "krustlet-wasi" in remote.machine.ssh(kubectl, "--kubeconfig", f"{STATE}/far/kubeconfig", "get", "nodes")

    remote.playbook("down.yml")
    assert processes(remote.machine) == []
    assert remote.machine.ssh("find /root /tmp /run -name '*edgelab*' -not -path '/root/.cache/*'") == ""
    assert [path for path in remote.lab.home.rglob("*") if path.is_file()] == [], "the controller has nothing of it"
    assert remote.recap(remote.playbook("down.yml"))["changed"] == 0


def processes(of: Machine) -> list[str]:
    """Command lines of what a lab could have left running."""
    lines = of.ssh("ps", "-e", "-o", "args=").splitlines()
    return [line for line in lines if any(word in line for word in ("edgelab", "etcd", "kube-", "registry"))]
