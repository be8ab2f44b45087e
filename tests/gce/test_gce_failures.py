"""What goes wrong in Compute Engine: told by its cause, waited out where that helps, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._gce_client import Compute, credentials_for
from ansible_collections.edgelab.akri.plugins.module_utils._gce_errors import CloudError
from edgelab.core.errors import LabError
from gcekit import Lab
from google.cloud import compute_v1
from labkit import eventually
from standins import gce_cloud as cloud
from standins.gce import GceStandin
from standins.gce_cloud import Booted, Failure
from standins.gce_messages import ApiError


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (cloud.API_OFF, "The API is off in this project"),
        (cloud.FORBIDDEN, "The account may not do this"),
        (cloud.QUOTA, "The project's quota does not allow it"),
        (cloud.OS_LOGIN_REQUIRED, "Set os_login: true"),
    ],
)
def test_a_refusal_is_told_by_its_cause_and_a_later_run_goes_on(lab: Lab, failure: Failure, cause: str) -> None:
    lab.gce.cloud.fail("instances.insert", failure)
    with pytest.raises(LabError) as raised:
        lab.present()
    assert str(raised.value).startswith("Create edgelab-x in europe-west1-b. Compute Engine says:")
    assert cause in str(raised.value)
    assert [step.split()[0] for step in lab.present()["steps"]] == ["create", "note"]


@pytest.mark.parametrize("failure", [cloud.TOO_MANY, cloud.RATE_LIMITED, cloud.UNAVAILABLE])
def test_what_passes_is_waited_out(lab: Lab, failure: Failure) -> None:
    lab.gce.cloud.fail("instances.insert", failure, times=2)
    lab.present()
    assert lab.gce.cloud.calls.count("instances.insert") == 3
    assert len(lab.gce.cloud.instances) == 1


def test_what_does_not_pass_is_told_in_the_end(lab: Lab) -> None:
    lab.gce.cloud.fail("projects.get", cloud.TOO_MANY, times=100)
    credentials, _ = credentials_for(str(lab.gce.credentials_file))
    impatient = Compute(lab.gce.project, credentials, lab.gce.url, patience=1)
    with pytest.raises(CloudError, match="Asked more often than the project may"):
        impatient.metadata()


def test_the_next_zone_is_taken_when_one_has_no_room(lab: Lab) -> None:
    lab.gce.cloud.fail("instances.insert", cloud.STOCKOUT, times=2)
    assert lab.present()["instance"]["zone"] == "europe-west1-d"


def test_no_room_anywhere_is_told_with_what_can_be_done(lab: Lab) -> None:
    lab.gce.cloud.fail("instances.insert", cloud.STOCKOUT, times=3)
    with pytest.raises(LabError, match=r"No zone of the list has room .* Name more zones"):
        lab.present()


def test_a_creation_that_failed_halfway_leaves_nothing_after_absent(lab: Lab) -> None:
    error = ApiError(500, "INTERNAL_ERROR", "Internal error")
    lab.gce.cloud.fail("instances.insert", Failure(error, in_operation=True, leaves_disk=True))
    with pytest.raises(LabError, match="Internal error"):
        lab.present()
    assert lab.gce.cloud.disks
    assert lab.gce.cloud.firewalls
    lab.absent()
    assert lab.nothing_is_left()


def test_a_disk_that_a_failed_creation_left_is_out_of_the_way_next_time(lab: Lab) -> None:
    error = ApiError(500, "INTERNAL_ERROR", "Internal error")
    lab.gce.cloud.fail("instances.insert", Failure(error, in_operation=True, leaves_disk=True))
    with pytest.raises(LabError, match="Internal error"):
        lab.present()
    assert lab.present()["steps"][0] == "delete disk edgelab-x in europe-west1-b"
    assert len(lab.gce.cloud.instances) == 1


def test_a_name_that_somebody_else_has_is_left_alone(lab: Lab) -> None:
    lab.present()
    instance = next(iter(lab.gce.cloud.instances.values()))
    instance.labels = {"team": "other"}
    with pytest.raises(LabError, match="Somebody else's is there: the instance edgelab-x"):
        lab.present(recreate=True)
    lab.absent()
    assert list(lab.gce.cloud.instances.values()) == [instance]


def test_a_machine_that_another_person_made_with_this_lab_name_is_not_taken_over(lab: Lab) -> None:
    lab.present()
    lab.access.files.forget()
    with pytest.raises(LabError, match="metadata ssh-keys is another, wanted is this lab's"):
        lab.present()


def test_an_image_family_that_is_not_there_is_told_before_anything_is_changed(lab: Lab) -> None:
    with pytest.raises(LabError, match="Find the newest image of ubuntu-1 in ubuntu-os-cloud"):
        lab.present(image_family="ubuntu-1", dry_run=True)
    assert lab.changes() == []


def test_a_machine_type_that_is_not_there_is_told_in_the_services_words(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"Invalid value for field 'resource.machineType': .*e2-huge"):
        lab.present(machine_type="e2-huge")


def test_a_server_with_other_host_keys_than_the_cloud_says_is_not_trusted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = lab.machines.create

    def impostor(instance: compute_v1.Instance) -> Booted:
        kind, key = (Path(lab.access.files.private_key).with_suffix(".pub").read_text().split())[:2]
        return Booted(create(instance).address, {kind: key})

    monkeypatch.setattr(lab.machines, "create", impostor)
    with pytest.raises(LabError, match=r"Host key verification failed.*is not the machine"):
        lab.present()


def test_a_machine_that_never_tells_its_host_keys_is_not_believed_either(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.machines, "create", lambda _: Booted("127.0.0.1"))
    lab.gce.cloud.serial["edgelab-x"] = "[ OK ] Booting\nguest agent: cannot reach metadata\n"
    lab.impatient()
    with pytest.raises(LabError, match=r"It has told none within 30 s.*\n.*\nguest agent: cannot reach metadata"):
        lab.present()
    assert not lab.access.files.known_hosts.exists()


def test_a_machine_that_lets_nobody_in_is_told_with_what_was_seen_last(lab: Lab) -> None:
    lab.impatient()
    with pytest.raises(LabError, match=r"ssh says: .*Permission denied.*The account or its key is not there"):
        lab.present(ssh_user="nobody-of-that-name")


def test_a_run_that_was_killed_is_gone_on_with(lab: Lab, tmp_path: Path) -> None:
    lab.gce.cloud.seconds_per_step = 3
    running = module(lab)
    try:
        eventually(lambda: "instances.insert" in lab.gce.cloud.calls, within=120, what="the creation to begin")
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
    lab.gce.cloud.seconds_per_step = 0.05
    assert lab.present()["steps"] == ["note the host key of edgelab-x"]
    assert lab.gce.cloud.calls.count("instances.insert") == 1


def test_the_module_says_what_went_wrong_and_tells_no_secrets(lab: Lab) -> None:
    lab.gce.cloud.fail("projects.get", cloud.API_OFF)
    said, _ = module(lab).communicate()
    told = json.loads(said)
    assert told["failed"]
    assert "The API is off in this project" in told["msg"]
    assert "PRIVATE KEY" not in said


def test_credentials_of_somebody_else_are_told_apart(lab: Lab, tmp_path: Path) -> None:
    with GceStandin() as other:
        credentials, _ = credentials_for(str(other.credentials_file))
        with pytest.raises(LabError, match=r"\(401\)\. The credentials have expired, were revoked"):
            Compute(lab.gce.project, credentials, lab.gce.url).metadata()


def test_no_credentials_are_told_with_how_to_get_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(LabError, match=r"Credentials for Google Cloud are absent.*gcloud auth application-default"):
        credentials_for(None)


def test_credentials_that_are_no_such_file_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    with pytest.raises(LabError, match=r"absent\.json was not found"):
        credentials_for(str(tmp_path / "absent.json"))


def test_a_service_that_does_not_answer_is_told(lab: Lab) -> None:
    credentials, _ = credentials_for(str(lab.gce.credentials_file))
    with pytest.raises(LabError, match=r"http://127\.0\.0\.1:1 does not answer"):
        Compute(lab.gce.project, credentials, "http://127.0.0.1:1").metadata()


def module(lab: Lab) -> "subprocess.Popen[str]":
    """The module as Ansible runs it."""
    options = {name: value for name, value in lab.options.items() if value is not None}
    cloud_options = {
        "project": lab.gce.project,
        "credentials_file": str(lab.gce.credentials_file),
        "api_endpoint": lab.gce.url,
        "directory": str(lab.access.files.directory),
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "ansible_collections.edgelab.akri.plugins.modules.gce_instance"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert running.stdin
    running.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **cloud_options}}))
    running.stdin.close()
    running.stdin = None
    return running
