# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""An instance is as wanted and lets us in; or it is gone with all that was made for it; or nothing expired is left.

Looks (one picture of all that there is), plans (`_gce_plan`) and has the plan carried out (`_gce_work`); check mode
stops between the two.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils import _gce_plan as plans
from ansible_collections.edgelab.akri.plugins.module_utils._gce_client import Compute
from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import (
    EXPIRES,
    LAB,
    MADE_BY,
    OURS,
    Found,
    Instance,
    LabError,
    Wanted,
    rule_name,
)
from ansible_collections.edgelab.akri.plugins.module_utils._gce_oslogin import OsLogin
from ansible_collections.edgelab.akri.plugins.module_utils._gce_plan import Step
from ansible_collections.edgelab.akri.plugins.module_utils._gce_work import Access, Work
from ansible_collections.edgelab.akri.plugins.module_utils._ssh import Server

ALL_OURS = f"labels.{MADE_BY}={OURS}"


def look(access: Access, name: str, ssh_port: int) -> Found:
    """All that there is of one name, in the cloud and here."""
    compute = access.compute
    instances, disks = compute.instances(f"name={name}"), compute.disks(f"name={name}")
    rules = compute.rules(f"name={rule_name(name)}")
    if len(instances) > 1:
        raise LabError(f"Find {name}", f"There is one in each of {', '.join(each.zone for each in instances)}")
    instance = instances[0] if instances else None
    disk = next((each for each in disks if instance and each.zone == instance.zone and each.attached), None)
    if instance and disk:
        family = compute.family_of_image(disk.image) if disk.image else None
        instance = replace(instance, disk_gigabytes=disk.gigabytes, disk_type=disk.disk_type, image_family=family)
    known = bool(instance and access.files.knows(Server(instance.address, ssh_port, "")))
    return Found(instance, tuple(disks), rules[0] if rules else None, access.files.public_key(), known)


def present(wanted: Wanted, access: Access, *, recreate: bool, dry_run: bool) -> dict[str, Any]:
    """Have an instance as wanted; the module's result. Raises LabError with the cause of what went wrong."""
    wanted = replace(wanted, os_login=wanted.os_login or project_wants_os_login(access.compute))
    found = look(access, wanted.name, wanted.ssh_port)
    steps = plans.plan_present(wanted, found, access.now(), recreate=recreate)
    work = Work(wanted, found, access)
    if dry_run:
        work.rehearse(steps)
        return result(steps, found.instance)
    for step in steps:
        work.do(step)
    login = work.login() if wanted.running else {}
    return result(steps, work.instance, login)


def absent(name: str, lab: str, access: Access, *, os_login: bool, dry_run: bool) -> dict[str, Any]:
    """Have nothing left of a lab's machine; the module's result."""
    found = look(access, name, 0)
    steps = plans.plan_absent(lab, found, files=access.files.directory.exists())
    if not dry_run:
        remove(steps, access.compute)
        if found.public_key and (os_login or project_wants_os_login(access.compute)):
            access.os_login.forget_key(found.public_key)
        access.files.forget()
    return result(steps, None)


def expired(compute: Compute, now: float, *, dry_run: bool) -> dict[str, Any]:
    """Have nothing of ours left in a project whose time has passed; the module's result."""
    instances, disks, rules = compute.instances(ALL_OURS), compute.disks(ALL_OURS), compute.rules()
    steps = plans.plan_expired(instances, disks, rules, now)
    if not dry_run:
        remove(steps, compute)
    return result(steps, None)


def listed(compute: Compute, os_login: OsLogin, lab: str | None) -> list[dict[str, Any]]:
    """The instances of ours in a project, or those of one lab, as results show them."""
    chosen = ALL_OURS if lab is None else f"{ALL_OURS} AND labels.{LAB}={lab}"
    instances = compute.instances(chosen)
    user = os_login.user() if any(instance.uses_os_login for instance in instances) else ""
    return [summary(each) | ({"user": user} if each.uses_os_login else {}) for each in instances]


def project_wants_os_login(compute: Compute) -> bool:
    """Whether the project, by itself or by its organization's policy, has accounts by OS Login."""
    return compute.metadata().get("enable-oslogin", "").upper() == "TRUE"


def remove(steps: list[Step], compute: Compute) -> None:
    """Carry out the steps that delete something in the cloud."""
    for step in steps:
        if step.action == plans.DELETE:
            compute.delete(step.zone, step.subject)
        elif step.action == plans.DELETE_DISK:
            compute.delete_disk(step.zone, step.subject)
        elif step.action == plans.DELETE_RULE:
            compute.delete_rule(step.subject)


def result(steps: list[Step], instance: Instance | None, login: dict[str, Any] | None = None) -> dict[str, Any]:
    """A module's result: what was done, or would be, and what there is now."""
    done = [str(step) for step in steps]
    told: dict[str, Any] = {"changed": bool(steps), "steps": done, "instance": None}
    if instance:
        told["instance"] = {**summary(instance), **(login or {})}
    if steps:
        told["diff"] = {"before": "", "after": "".join(f"{line}\n" for line in done)}
    return told


def summary(instance: Instance) -> dict[str, Any]:
    """An instance as results show it; `user` is known where the key came by metadata."""
    ends = instance.labels.get(EXPIRES, "")
    user = instance.metadata.get("ssh-keys", "").split(":")[0]
    return {
        "name": instance.name,
        "lab": instance.labels.get(LAB, ""),
        "zone": instance.zone,
        "status": instance.status,
        "address": instance.address,
        "user": user,
        "os_login": instance.uses_os_login,
        "machine_type": instance.machine_type,
        "labels": dict(instance.labels),
        "expires": int(ends) if ends.isdigit() else 0,
    }
