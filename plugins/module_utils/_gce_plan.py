# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What has to be done so that an instance is as wanted, or gone, or so that nothing expired is left. Nothing is asked.

A plan is a list of steps in the order in which they are done; an empty one means that nothing changes. What cannot be
changed on an instance that there is (its image, its machine type, ...) is a difference: told, never passed over, and
removed by deleting and making the instance anew only on request, since all that is on it would be lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import (
    BECOMING_STOPPED,
    EXPIRES,
    LAB,
    MADE_BY,
    OURS,
    STOPPED,
    Disk,
    Found,
    Instance,
    LabError,
    Rule,
    Wanted,
    expired,
    is_ours,
    rule_for,
)

CREATE_KEY, ALLOW, MEND_RULE, CREATE, START, STOP, LABEL, NOTE_HOST = (
    "make the key pair",
    "let ssh in by firewall rule",
    "correct firewall rule",
    "create instance",
    "start instance",
    "stop instance",
    "label instance",
    "note the host key of",
)
DELETE, DELETE_DISK, DELETE_RULE, FORGET = (
    "delete instance",
    "delete disk",
    "delete firewall rule",
    "forget the key pair and host key of",
)


@dataclass(frozen=True)
class Step:
    """One thing to do; `zone` is where its subject is, "" for what is in no zone."""

    action: str
    subject: str
    zone: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.subject}" + (f" in {self.zone}" if self.zone else "")


@dataclass(frozen=True)
class Difference:
    """Something that an instance has and that cannot be changed on it."""

    what: str
    found: object
    wanted: object

    def __str__(self) -> str:
        return f"{self.what} is {self.found}, wanted is {self.wanted}"


def plan_present(wanted: Wanted, found: Found, now: float, *, recreate: bool) -> list[Step]:
    """The steps to an instance as wanted. Raises LabError for a name that is taken, and for differences."""
    refuse_strangers(wanted, found)
    instance = found.instance
    different = differences(wanted, instance, found.public_key) if instance else []
    if different and not recreate:
        raise LabError(
            attempted=f"Have the instance {wanted.name} as wanted",
            seen="; ".join(map(str, different)),
            cause="These cannot be changed on an instance. Nothing was changed",
            remedy="Set them back, or have it deleted, with all that is on it, and made anew by recreate: true",
        )
    steps = [] if found.public_key else [Step(CREATE_KEY, wanted.name)]
    steps += plan_rule(wanted, found.rule, now)
    if instance and different:
        steps.append(Step(DELETE, instance.name, instance.zone))
        instance = None
    steps += plan_changes(wanted, instance) if instance else plan_new(wanted, found)
    begins_to_run = any(step.action in (CREATE, START) for step in steps)
    if wanted.running and (begins_to_run or not found.host_known):
        steps.append(Step(NOTE_HOST, wanted.name))
    return steps


def plan_new(wanted: Wanted, found: Found) -> list[Step]:
    """The steps from no instance; a disk of that name that an earlier try left would be in the way."""
    steps = [Step(DELETE_DISK, disk.name, disk.zone) for disk in leftovers(wanted.lab, found)]
    steps.append(Step(CREATE, wanted.name, wanted.zones[0]))
    return steps if wanted.running else [*steps, Step(STOP, wanted.name, wanted.zones[0])]


def plan_changes(wanted: Wanted, instance: Instance) -> list[Step]:
    """The steps from an instance without differences to one that runs or rests."""
    labels = Step(LABEL, instance.name, instance.zone)
    if wanted.running and instance.status in (STOPPED, *BECOMING_STOPPED):
        # What runs anew has its whole time again, so its label says a new end.
        return [Step(START, instance.name, instance.zone), labels]
    steps = [] if carries(wanted, instance) else [labels]
    if not wanted.running and instance.status not in (STOPPED, *BECOMING_STOPPED):
        steps.append(Step(STOP, instance.name, instance.zone))
    return steps


def plan_rule(wanted: Wanted, rule: Rule | None, now: float) -> list[Step]:
    """The steps to the firewall rule."""
    new = rule_for(wanted, now)
    if rule is None:
        return [Step(ALLOW, new.name)]
    same = (rule.network.rsplit("/", 1)[-1], rule.tag, rule.port, rule.ranges, rule.disabled)
    if same == (new.network.rsplit("/", 1)[-1], new.tag, new.port, new.ranges, False):
        return []
    return [Step(MEND_RULE, new.name)]


def plan_absent(lab: str, found: Found, *, files: bool) -> list[Step]:
    """The steps until nothing of a lab's machine is left, however far its creation came. What is not ours stays."""
    steps = []
    if found.instance and is_ours(found.instance.labels, lab):
        steps.append(Step(DELETE, found.instance.name, found.instance.zone))
    steps += [Step(DELETE_DISK, disk.name, disk.zone) for disk in leftovers(lab, found)]
    if found.rule and is_ours(found.rule.words, lab):
        steps.append(Step(DELETE_RULE, found.rule.name))
    return [*steps, Step(FORGET, lab)] if files else steps


def plan_expired(instances: Iterable[Instance], disks: Iterable[Disk], rules: Iterable[Rule], now: float) -> list[Step]:
    """The steps until nothing of ours is left whose time has passed; what a living instance of its lab needs stays."""
    instances = list(instances)
    alive = {each.labels.get(LAB) for each in instances if is_ours(each.labels) and not expired(each.labels, now)}
    return [
        *(Step(DELETE, each.name, each.zone) for each in instances if expired(each.labels, now)),
        *(Step(DELETE_DISK, each.name, each.zone) for each in disks if not each.attached and expired(each.labels, now)),
        *(
            Step(DELETE_RULE, each.name)
            for each in rules
            if expired(each.words, now) and each.words.get(LAB) not in alive
        ),
    ]


def differences(wanted: Wanted, instance: Instance, public_key: str | None) -> list[Difference]:
    """What an instance has and cannot be changed; what nobody can tell any more (None) is no difference."""
    pairs = [
        ("machine type", instance.machine_type, wanted.machine_type),
        ("image family", instance.image_family, wanted.image_family),
        ("disk size in GB", instance.disk_gigabytes, wanted.disk_gigabytes),
        ("disk type", instance.disk_type, wanted.disk_type),
        ("longest run in seconds", instance.run_seconds, wanted.seconds),
        ("what happens after it", instance.termination_action, "DELETE"),
    ]
    told = [Difference(*pair) for pair in pairs if pair[1] is not None and pair[1] != pair[2]]
    for key, value in wanted.access(public_key or "a new key").items():
        seen = instance.metadata.get(key)
        if seen != value:
            # Keys are long; that they are not the same is all that a reader needs.
            told.append(Difference(f"metadata {key}", "another" if seen and key == "ssh-keys" else seen, "this lab's"))
    return told


def carries(wanted: Wanted, instance: Instance) -> bool:
    """Whether an instance has the labels that it should have; those of others may be there too."""
    fixed = {**wanted.labels, MADE_BY: OURS, LAB: wanted.lab}
    return fixed.items() <= dict(instance.labels).items() and EXPIRES in instance.labels


def leftovers(lab: str, found: Found) -> list[Disk]:
    """Disks of ours that belong to no instance, as a creation that failed half-way leaves them."""
    return [disk for disk in found.disks if is_ours(disk.labels, lab) and not disk.attached]


def refuse_strangers(wanted: Wanted, found: Found) -> None:
    """Raises LabError when a name that the lab needs is taken by something that it did not make."""
    taken = [
        *([f"the instance {found.instance.name}"] if found.instance and not is_ours(found.instance.labels) else []),
        *(f"the disk {disk.name}" for disk in found.disks if not (is_ours(disk.labels) or disk.attached)),
        *([f"the firewall rule {found.rule.name}"] if found.rule and not is_ours(found.rule.words) else []),
    ]
    if taken:
        raise LabError(
            attempted=f"Make the machine {wanted.name}",
            seen=f"Somebody else's is there: {', '.join(taken)}. It was not touched",
            remedy="Give the lab another name, or remove what is in its way yourself",
        )
