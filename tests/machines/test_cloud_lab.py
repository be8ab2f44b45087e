"""The whole playbook for Compute Engine: an instance is made, a lab built on it, the demo proved, all of it deleted.

The stand-in for the API (tests/standins/gce.py) is driven by Google's own client; the instance is a real machine with a
real sshd, whose host key comes from the guest attributes. Plain processes are the lab's cluster in MicroK8s' place.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from labkit import BIN, Lab, Result, eventually, press_ctrl_c
from machines.cloud import CloudMachines
from machines.conftest import recap
from standins.gce import GceStandin

INSTANCE = "edgelab-cloud"


@pytest.fixture
def machines() -> Iterator[CloudMachines]:
    """What the cloud's instances are made of."""
    with CloudMachines() as made:
        yield made


@pytest.fixture
def gce(machines: CloudMachines) -> Iterator[GceStandin]:
    """A cloud with nothing in it."""
    with GceStandin(machines) as standin:
        yield standin


@pytest.fixture
def lab(gce: GceStandin, home: Path) -> Lab:
    """A lab that is not there yet, in that cloud."""
    variables = {
        "gce_host_api_endpoint": gce.url,
        "gce_host_credentials_file": str(gce.credentials_file),
        "gce_host_project": gce.project,
        "gce_host_ssh_ranges": ["10.231.0.0/16"],
        "lab_cluster": "processes",
        "akri_implementation": "embedded",
        "lab_preparations": ["linux_host"],
    }
    return Lab(home, "cloud", variables)


def playbook(lab: Lab, name: str, *options: str) -> Result:
    """Run a playbook as `make PROVIDER=gce` does."""
    return lab.playbook(name, "-i", "inventories/gce/hosts.yml", *options)


def nothing_is_left(gce: GceStandin, machines: CloudMachines, lab: Lab) -> bool:
    """Neither in the cloud, nor a machine, nor on the controller."""
    files = [path for path in lab.home.rglob("*") if path.is_file()]
    return not any((gce.cloud.instances, gce.cloud.disks, gce.cloud.firewalls, machines.running, files))


def test_life_of_a_lab_in_the_cloud(gce: GceStandin, machines: CloudMachines, lab: Lab) -> None:
    """From an empty project to the proved demo, again without a change, and back."""
    told = playbook(lab, "site.yml", "--check")
    assert told.changed_tasks() == ["edgelab.akri.gce_host : Have the instance and a way in"]
    assert nothing_is_left(gce, machines, lab)

    made = playbook(lab, "site.yml")
    assert "Pod is running and using debugEcho device named" in made.output
    assert list(machines.running) == [INSTANCE]

    again = playbook(lab, "site.yml")
    assert [recap(again, host)["changed"] for host in ("localhost", INSTANCE)] == [0, 0]

    playbook(lab, "down.yml")
    assert nothing_is_left(gce, machines, lab)
    assert recap(playbook(lab, "down.yml"), "localhost")["changed"] == 0


def test_interrupted_run_leaves_nothing_that_down_does_not_take(
    gce: GceStandin, machines: CloudMachines, lab: Lab, tmp_path: Path
) -> None:
    """Ctrl-C while the runtime is being installed on the instance."""
    output = tmp_path / "output"
    variables = json.dumps({"lab_name": lab.name, **lab.variables})
    # Whoever started these tests may ignore SIGINT, as a shell does for what it runs in the background.
    ansible = ["env", "--default-signal=INT", str(BIN / "ansible-playbook")]
    command = [*ansible, "-i", "inventories/gce/hosts.yml", "site.yml", "-e", variables]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=lab.directory,
            env=lab.environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )

    def installs() -> bool:
        assert process.poll() is None, output.read_text()
        instance = machines.running.get(INSTANCE)
        return instance is not None and "it does" in instance.ssh(
            "pgrep -f '[p]ip install' && echo it does", check=False
        )

    eventually(installs, within=600, what="pip on the instance")
    assert press_ctrl_c(process) != 0
    assert list(machines.running) == [INSTANCE]
    playbook(lab, "down.yml")
    assert nothing_is_left(gce, machines, lab)
