"""A lab's machine in Compute Engine from its making to its end: idempotent by what is found, whole, and only ours."""

from typing import Any

from gcekit import Lab
from google.cloud import compute_v1
from standins.gce_cloud import Booted

EVERYTHING = [
    "make the key pair edgelab-x",
    "let ssh in by firewall rule edgelab-x-ssh",
    "create instance edgelab-x in europe-west1-b",
    "note the host key of edgelab-x",
]


def instance(lab: Lab) -> compute_v1.Instance:
    return next(iter(lab.gce.cloud.instances.values()))


def metadata(lab: Lab) -> dict[str, str]:
    return {item.key: item.value for item in instance(lab).metadata.items}


def test_check_mode_tells_all_of_it_and_does_nothing(lab: Lab) -> None:
    told = lab.present(dry_run=True)
    assert told["steps"] == EVERYTHING
    assert told["instance"] is None
    assert lab.changes() == []
    assert lab.nothing_is_left()


def test_the_machine_lets_us_in_and_a_second_run_finds_all_as_it_should_be(lab: Lab) -> None:
    made = lab.present()
    assert made["steps"] == EVERYTHING
    assert made["instance"]["address"] == "127.0.0.1"
    before = lab.changes()
    again = lab.present()
    assert not again["changed"]
    assert again["instance"] == made["instance"]
    assert lab.changes() == before


def test_an_instance_dies_without_us_and_says_whose_it_is(lab: Lab) -> None:
    lab.present(keep_hours=2, labels={"team": "edge"})
    made = instance(lab)
    assert made.scheduling.max_run_duration.seconds == 7200
    assert made.scheduling.instance_termination_action == "DELETE"
    assert {"edgelab-lab": "x", "edgelab-made-by": "edgelab-akri", "team": "edge"}.items() <= dict(made.labels).items()
    assert 7100 < int(made.labels["edgelab-expires"]) - lab.gce.cloud.now() <= 7200
    assert made.disks[0].auto_delete
    assert not made.service_accounts


def test_nobody_else_gets_in(lab: Lab) -> None:
    lab.present()
    public = lab.access.files.public_key()
    assert metadata(lab) == {
        "enable-guest-attributes": "TRUE",
        "block-project-ssh-keys": "TRUE",
        "enable-oslogin": "FALSE",
        "ssh-keys": f"{lab.machines.user}:{public}",
    }
    rule = lab.gce.cloud.firewalls["edgelab-x-ssh"]
    assert list(rule.source_ranges) == ["127.0.0.0/8"]
    assert list(rule.target_tags) == list(instance(lab).tags.items) == ["edgelab-x"]
    assert [(each.I_p_protocol, list(each.ports)) for each in rule.allowed] == [("tcp", [str(lab.machines.port)])]


def test_a_firewall_rule_that_was_opened_is_closed_again(lab: Lab) -> None:
    lab.present()
    lab.gce.cloud.firewalls["edgelab-x-ssh"].source_ranges = ["0.0.0.0/0"]
    assert lab.present()["steps"] == ["correct firewall rule edgelab-x-ssh"]
    assert list(lab.gce.cloud.firewalls["edgelab-x-ssh"].source_ranges) == ["127.0.0.0/8"]


def test_labels_of_others_stay_when_ours_are_put_right(lab: Lab) -> None:
    lab.present(labels={"team": "edge"})
    instance(lab).labels = {**instance(lab).labels, "team": "cloud", "cost": "12"}
    assert lab.present(labels={"team": "edge"})["steps"] == ["label instance edgelab-x in europe-west1-b"]
    assert instance(lab).labels["team"] == "edge"
    assert instance(lab).labels["cost"] == "12"


def test_a_stopped_machine_starts_with_its_whole_time_again(lab: Lab) -> None:
    ends = lab.present()["instance"]["expires"]
    stopped = lab.present(state="stopped")
    assert stopped["steps"] == ["stop instance edgelab-x in europe-west1-b"]
    assert stopped["instance"]["status"] == "TERMINATED"
    assert not lab.present(state="stopped")["changed"]
    lab.gce.cloud.pass_time(3600)
    started = lab.present()
    assert [step.split()[0] for step in started["steps"]] == ["start", "label", "note"]
    assert started["instance"]["expires"] >= ends + 3600


def test_a_machine_that_differs_is_made_anew_only_on_request(lab: Lab) -> None:
    lab.present()
    key = lab.gce.cloud.host_keys["edgelab-x"]
    made = lab.present(machine_type="e2-standard-2", recreate=True)
    assert [step.split()[0] for step in made["steps"]] == ["delete", "create", "note"]
    assert made["instance"]["machine_type"] == "e2-standard-2"
    assert lab.gce.cloud.host_keys["edgelab-x"] != key


def test_nothing_is_left_of_it_and_a_second_removal_does_nothing(lab: Lab) -> None:
    lab.present()
    assert lab.absent(dry_run=True)["changed"]
    assert not lab.nothing_is_left()
    gone = lab.absent()
    assert gone["steps"] == [
        "delete instance edgelab-x in europe-west1-b",
        "delete firewall rule edgelab-x-ssh",
        "forget the key pair and host key of x",
    ]
    assert lab.nothing_is_left()
    assert not lab.absent()["changed"]


def test_what_expired_is_cleaned_up_and_nothing_else(lab: Lab) -> None:
    lab.present(keep_hours=1)
    cloud = lab.gce.cloud
    cloud.firewalls["default-allow-ssh"] = compute_v1.Firewall(name="default-allow-ssh", description="Allow SSH")
    assert not lab.expired()["changed"]
    instance(lab).scheduling = compute_v1.Scheduling()  # as though Compute Engine had not deleted it
    cloud.pass_time(3700)
    assert lab.expired(dry_run=True)["steps"] == [
        "delete instance edgelab-x in europe-west1-b",
        "delete firewall rule edgelab-x-ssh",
    ]
    assert ("europe-west1-b", "edgelab-x") in cloud.instances
    lab.expired()
    assert (cloud.instances, cloud.disks, list(cloud.firewalls)) == ({}, {}, ["default-allow-ssh"])


def test_the_rule_of_a_machine_that_died_by_itself_is_cleaned_up(lab: Lab) -> None:
    lab.present(keep_hours=1)
    lab.gce.cloud.pass_time(3700)
    assert lab.gce.cloud.instances == {}
    assert lab.expired()["steps"] == ["delete firewall rule edgelab-x-ssh"]


def test_os_login_takes_the_key_where_the_project_says_so(lab: Lab, monkeypatch: Any) -> None:
    # Accounts of OS Login exist on Google's machines alone: that ssh works is all that is pretended here.
    monkeypatch.setattr(lab.access.files, "login", lambda server: "")
    lab.gce.cloud.metadata["enable-oslogin"] = "TRUE"
    made = lab.present(keep_hours=3)
    assert made["instance"]["user"].startswith("sa_")
    assert metadata(lab)["enable-oslogin"] == "TRUE"
    assert "ssh-keys" not in metadata(lab)
    (key,) = lab.gce.cloud.login_keys.values()
    assert key["key"] == lab.access.files.public_key()
    assert int(key["expirationTimeUsec"]) == made["instance"]["expires"] * 1_000_000
    assert not lab.present(keep_hours=3)["changed"]
    lab.absent()
    assert lab.nothing_is_left()


def test_a_machine_without_public_address_is_reached_inside_its_network(lab: Lab) -> None:
    made = lab.present(public_address=False)
    assert not instance(lab).network_interfaces[0].access_configs
    assert made["instance"]["address"] == "127.0.0.1"


def test_what_boots_is_what_was_asked_for(lab: Lab, monkeypatch: Any) -> None:
    seen: list[compute_v1.Instance] = []
    create = lab.machines.create

    def noting(asked: compute_v1.Instance) -> Booted:
        seen.append(asked)
        return create(asked)

    monkeypatch.setattr(lab.machines, "create", noting)
    lab.present(image_family="debian-12", image_project="debian-cloud", disk_gigabytes=40, disk_type="pd-ssd")
    (disk,) = lab.gce.cloud.disks.values()
    assert (disk.size_gb, disk.type_.rsplit("/", 1)[-1]) == (40, "pd-ssd")
    assert disk.source_image.endswith("projects/debian-cloud/global/images/debian-12-v2")
    assert dict(disk.labels) == dict(seen[0].labels)
