"""The playbooks as people run them: a cleanup that first says what it would do, and refusals before any change."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gcekit import Lab as Machine
from google.cloud import compute_v1
from labkit import Lab, Result, new_lab

HOSTS = ("-i", "inventories/gce/hosts.yml")


@pytest.fixture
def labs(lab: Machine) -> Iterator[Lab]:
    """The playbooks of a lab in the same cloud."""
    made = new_lab("gce")
    made.variables = {
        "gce_host_api_endpoint": lab.gce.url,
        "gce_host_project": lab.gce.project,
        "gce_host_credentials_file": str(lab.gce.credentials_file),
        "gce_host_ssh_ranges": ["127.0.0.0/8"],
    }
    yield made
    made.home.rmdir()


def cleanup(labs: Lab, *options: str) -> Result:
    return labs.playbook("gce_cleanup.yml", *HOSTS, *options)


def test_cleanup_says_what_it_would_delete_and_then_deletes_that_alone(lab: Machine, labs: Lab) -> None:
    lab.present()
    cloud = lab.gce.cloud
    (instance,) = cloud.instances.values()
    instance.labels = {**instance.labels, "edgelab-expires": "1"}
    cloud.firewalls["default-allow-ssh"] = compute_v1.Firewall(name="default-allow-ssh")

    told = cleanup(labs, "--check")
    assert "delete instance edgelab-x in europe-west1-b" in told.output
    assert told.recap()["changed"] == 1
    assert list(cloud.instances) == [("europe-west1-b", "edgelab-x")]

    assert cleanup(labs).recap()["changed"] == 1
    assert (cloud.instances, cloud.disks) == ({}, {})
    assert list(cloud.firewalls) == ["edgelab-x-ssh", "default-allow-ssh"], "the rule says a later end of its own"

    assert cleanup(labs).recap()["changed"] == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"gce_host_ssh_ranges": ["0.0.0.0/0"]}, "0.0.0.0/0 is every address there is"),
        ({"gce_host_zone": "europe-west1-b"}, "Unknown variables: gce_host_zone"),
        ({"gce_host_credentials_file": "/nowhere/key.json"}, "Credentials for Google Cloud are absent"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    lab: Machine, labs: Lab, tmp_path: Path, given: dict[str, object], said: str
) -> None:
    labs.variables |= given
    refused = labs.playbook("machine.yml", *HOSTS, check=False)
    assert refused.status != 0
    assert said in " ".join(refused.output.split())
    assert lab.changes() == []
