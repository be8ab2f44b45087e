"""What has to be done for a machine in Compute Engine, decided from values alone."""

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _gce_plan as subject
from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import (
    EXPIRES,
    LAB,
    MADE_BY,
    OURS,
    Disk,
    Found,
    Instance,
    Rule,
    Wanted,
    check_ranges,
    describe,
    rule_for,
    words_of,
)
from edgelab.core.errors import LabError

NOW = 1_000_000.0
KEY = "ssh-ed25519 AAAA edgelab-x"
GIVEN: dict[str, Any] = {
    "name": "edgelab-x",
    "lab": "x",
    "state": "started",
    "zones": ["a-b", "a-c"],
    "machine_type": "e2-standard-4",
    "image_project": "ubuntu-os-cloud",
    "image_family": "ubuntu-2404-lts-amd64",
    "disk_gigabytes": 30,
    "disk_type": "pd-balanced",
    "network": "default",
    "subnetwork": None,
    "public_address": True,
    "keep_hours": 2,
    "labels": {"team": "edge"},
    "ssh_user": "edgelab",
    "ssh_port": 22,
    "ssh_ranges": ["203.0.113.7/32"],
    "allow_any_address": False,
    "os_login": False,
}
WANTED = Wanted.from_params(GIVEN)
LABELS = WANTED.all_labels(NOW)
INSTANCE = Instance(
    name="edgelab-x",
    zone="a-b",
    status="RUNNING",
    address="203.0.113.80",
    machine_type="e2-standard-4",
    labels=LABELS,
    metadata=WANTED.access(KEY),
    run_seconds=7200,
    termination_action="DELETE",
    image_family="ubuntu-2404-lts-amd64",
    disk_gigabytes=30,
    disk_type="pd-balanced",
)
DISK = Disk("edgelab-x", "a-b", LABELS, attached=True)
RULE = replace(rule_for(WANTED, NOW), network="https://x/projects/p/global/networks/default")
THERE = Found(INSTANCE, (DISK,), RULE, KEY, host_known=True)
STRANGE = {"team": "edge"}


def actions(wanted: Wanted, found: Found, *, recreate: bool = False) -> list[str]:
    return [step.action for step in subject.plan_present(wanted, found, NOW, recreate=recreate)]


def test_from_nothing_everything_is_made_the_instance_after_who_may_get_in() -> None:
    made = [subject.CREATE_KEY, subject.ALLOW, subject.CREATE, subject.NOTE_HOST]
    assert actions(WANTED, Found()) == made


def test_what_is_as_wanted_stays() -> None:
    assert actions(WANTED, THERE) == []


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (replace(THERE, rule=None), [subject.ALLOW]),
        (replace(THERE, rule=replace(RULE, ranges=("0.0.0.0/0",))), [subject.MEND_RULE]),
        (replace(THERE, rule=replace(RULE, disabled=True)), [subject.MEND_RULE]),
        (replace(THERE, rule=replace(RULE, port=0)), [subject.MEND_RULE]),
        (replace(THERE, host_known=False), [subject.NOTE_HOST]),
        (replace(THERE, instance=replace(INSTANCE, labels={**LABELS, "team": "other"})), [subject.LABEL]),
        (replace(THERE, instance=replace(INSTANCE, labels={**LABELS, "cost": "1"})), []),
        (
            replace(THERE, instance=replace(INSTANCE, status="TERMINATED", address="")),
            [subject.START, subject.LABEL, subject.NOTE_HOST],
        ),
        (
            replace(THERE, instance=replace(INSTANCE, status="STOPPING")),
            [subject.START, subject.LABEL, subject.NOTE_HOST],
        ),
        (
            replace(THERE, instance=replace(INSTANCE, status="STAGING", address=""), host_known=False),
            [subject.NOTE_HOST],
        ),
        (
            Found(disks=(replace(DISK, attached=False),), rule=RULE, public_key=KEY),
            [subject.DELETE_DISK, subject.CREATE, subject.NOTE_HOST],
        ),
        (replace(THERE, instance=replace(INSTANCE, image_family=None, disk_gigabytes=None, disk_type=None)), []),
    ],
)
def test_only_what_differs_is_changed(found: Found, steps: list[str]) -> None:
    assert actions(WANTED, found) == steps


@pytest.mark.parametrize(
    ("status", "steps"),
    [("RUNNING", [subject.STOP]), ("STAGING", [subject.STOP]), ("TERMINATED", []), ("STOPPING", [])],
)
def test_an_instance_that_should_rest_is_stopped_once(status: str, steps: list[str]) -> None:
    found = replace(THERE, instance=replace(INSTANCE, status=status), host_known=False)
    assert actions(replace(WANTED, running=False), found) == steps


def test_a_new_one_that_should_rest_is_made_and_stopped() -> None:
    found = Found(rule=RULE, public_key=KEY)
    assert actions(replace(WANTED, running=False), found) == [subject.CREATE, subject.STOP]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (replace(WANTED, machine_type="e2-micro"), "machine type is e2-standard-4, wanted is e2-micro"),
        (replace(WANTED, image_family="debian-12"), "image family is ubuntu-2404-lts-amd64, wanted is debian-12"),
        (replace(WANTED, disk_gigabytes=50), "disk size in GB is 30, wanted is 50"),
        (replace(WANTED, disk_type="pd-ssd"), "disk type is pd-balanced, wanted is pd-ssd"),
        (replace(WANTED, keep_hours=3), "longest run in seconds is 7200, wanted is 10800"),
        (replace(WANTED, os_login=True), "metadata enable-oslogin is FALSE, wanted is this lab's"),
        (replace(WANTED, ssh_user="ada"), "metadata ssh-keys is another, wanted is this lab's"),
    ],
)
def test_what_cannot_be_changed_is_told_and_made_anew_only_on_request(wanted: Wanted, told: str) -> None:
    with pytest.raises(LabError, match="Nothing was changed") as raised:
        actions(wanted, THERE)
    assert told in str(raised.value)
    assert actions(wanted, THERE, recreate=True) == [subject.DELETE, subject.CREATE, subject.NOTE_HOST]


def test_a_lost_key_is_a_difference_since_nobody_could_get_in() -> None:
    with pytest.raises(LabError, match="metadata ssh-keys is another"):
        actions(WANTED, replace(THERE, public_key=None))


def test_request_to_make_anew_does_nothing_where_nothing_differs() -> None:
    assert actions(WANTED, THERE, recreate=True) == []


@pytest.mark.parametrize(
    "found",
    [
        Found(instance=replace(INSTANCE, labels=STRANGE), public_key=KEY),
        Found(disks=(replace(DISK, labels=STRANGE, attached=False),)),
        Found(rule=replace(RULE, words={})),
    ],
)
def test_names_that_others_have_are_refused_and_left_alone(found: Found) -> None:
    with pytest.raises(LabError, match="Somebody else's"):
        actions(WANTED, found, recreate=True)
    assert subject.plan_absent("x", found, files=False) == []


def test_a_neighbour_lab_is_not_taken_away() -> None:
    assert subject.plan_absent("y", THERE, files=False) == []


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (THERE, [subject.DELETE, subject.DELETE_RULE, subject.FORGET]),
        (Found(rule=RULE), [subject.DELETE_RULE, subject.FORGET]),
        (Found(disks=(replace(DISK, attached=False),)), [subject.DELETE_DISK, subject.FORGET]),
        (Found(), [subject.FORGET]),
    ],
)
def test_all_that_was_made_is_taken_away_however_far_it_came(found: Found, steps: list[str]) -> None:
    assert [step.action for step in subject.plan_absent("x", found, files=True)] == steps


def words(lab: str, ends: float | str, made_by: str = OURS) -> dict[str, str]:
    return {LAB: lab, EXPIRES: str(ends), MADE_BY: made_by}


def test_only_what_is_ours_and_expired_is_cleaned_up() -> None:
    instances = [
        Instance("old", "a-b", "RUNNING", labels=words("old", 5)),
        Instance("alive", "a-b", "RUNNING", labels=words("alive", int(NOW) + 1)),
        Instance("foreign", "a-b", "RUNNING", labels=words("foreign", 5, made_by="somebody")),
        Instance("timeless", "a-b", "RUNNING", labels=words("timeless", "never")),
    ]
    disks = [Disk("old", "a-b", words("old", 5), attached=True), Disk("left", "a-c", words("gone", 5))]
    rules = [
        Rule("old-ssh", "default", "old", 22, (), words("old", 5)),
        Rule("gone-ssh", "default", "gone", 22, (), words("gone", 5)),
        Rule("alive-ssh", "default", "alive", 22, (), words("alive", 5)),
        Rule("default-allow-ssh", "default", "", 22, ()),
    ]
    steps = subject.plan_expired(instances, disks, rules, NOW)
    assert [str(step) for step in steps] == [
        "delete instance old in a-b",
        "delete disk left in a-c",
        "delete firewall rule old-ssh",
        "delete firewall rule gone-ssh",
    ]


def test_a_description_carries_what_makes_a_rule_ours() -> None:
    assert words_of(describe(RULE.words)) == dict(RULE.words)
    assert words_of("Allow SSH from anywhere") == {}


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (["0.0.0.0/0"], "every address there is"),
        (["10.0.0.0/8", "::/0"], "every address there is"),
        (["my-laptop"], "does not appear to be"),
        (["203.0.113.7/24"], "has host bits set"),
        ([], "Nobody could connect"),
    ],
)
def test_ranges_that_nobody_should_be_let_in_from_are_refused(ranges: list[str], said: str) -> None:
    with pytest.raises(LabError, match=said):
        check_ranges(ranges, allow_any=False)


def test_all_addresses_can_be_allowed_in_so_many_words() -> None:
    check_ranges(["0.0.0.0/0"], allow_any=True)


@pytest.mark.parametrize(("name", "value"), [("keep_hours", 0), ("keep_hours", 2881), ("zones", [])])
def test_values_that_the_service_would_refuse_are_refused_before(name: str, value: object) -> None:
    with pytest.raises(LabError):
        Wanted.from_params({**GIVEN, name: value})
