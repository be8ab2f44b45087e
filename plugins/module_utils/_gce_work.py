# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Carries out a plan for an instance, step by step, and gets into it by ssh.

A step that fails leaves what was made before it: the next run goes on from there, `absent` removes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils import _gce_plan as plans
from ansible_collections.edgelab.akri.plugins.module_utils._gce_client import Compute
from ansible_collections.edgelab.akri.plugins.module_utils._gce_errors import ROLES, CloudError
from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import (
    EXPIRES,
    RUNNING,
    STOPPED,
    Found,
    Instance,
    LabError,
    Wanted,
    rule_for,
)
from ansible_collections.edgelab.akri.plugins.module_utils._gce_oslogin import OsLogin
from ansible_collections.edgelab.akri.plugins.module_utils._gce_plan import Step
from ansible_collections.edgelab.akri.plugins.module_utils._gce_wait import Patience
from ansible_collections.edgelab.akri.plugins.module_utils._ssh import HOPELESS, Files, Server


@dataclass(frozen=True)
class Access:
    """What a lab's machine is worked on with: the cloud, OS Login, the files here, and how long to wait."""

    compute: Compute
    os_login: OsLogin
    files: Files
    patience: Patience
    now: Callable[[], float] = time.time


class Work:
    """The work on one instance; `instance` is what is known of it by now."""

    def __init__(self, wanted: Wanted, found: Found, access: Access) -> None:
        self.wanted, self.access, self.compute = wanted, access, access.compute
        self.instance = found.instance
        self.key = found.public_key or ""

    def rehearse(self, steps: list[Step]) -> None:
        """Try what of the steps can be tried without changing anything: whether there is such an image."""
        if any(step.action == plans.CREATE for step in steps):
            self.compute.image_of_family(self.wanted.image_project, self.wanted.image_family)

    def do(self, step: Step) -> None:
        """Carry out one step."""
        doers: dict[str, Callable[[], None]] = {
            plans.CREATE_KEY: self._make_key,
            plans.ALLOW: lambda: self.compute.allow(rule_for(self.wanted, self.access.now())),
            plans.MEND_RULE: lambda: self.compute.mend_rule(rule_for(self.wanted, self.access.now())),
            plans.DELETE: lambda: self._delete(step),
            plans.DELETE_DISK: lambda: self.compute.delete_disk(step.zone, step.subject),
            plans.CREATE: self._create,
            plans.START: self._start,
            plans.STOP: self._stop,
            plans.LABEL: self._label,
            plans.NOTE_HOST: self._note_host,
        }
        doers[step.action]()

    def login(self) -> dict[str, Any]:
        """Wait until the instance lets us in; how to get in. Raises LabError with what was seen last."""
        instance = self._settled(RUNNING)
        user = self.access.os_login.user() if self.wanted.os_login else self.wanted.ssh_user
        server = Server(instance.address, self.wanted.ssh_port, user)
        files = self.access.files
        said = self.access.patience.wait(lambda: files.login(server), until=_no_use_to_wait)
        if said:
            raise LabError(
                f"Log in to {instance.name} as {server.user}@{server.address}, port {server.port}",
                f"ssh says: {said}. {self._console(instance)}",
                *_cause_of(said),
            )
        return {
            "user": server.user,
            "port": server.port,
            "private_key": str(files.private_key),
            "known_hosts": str(files.known_hosts),
        }

    def _delete(self, step: Step) -> None:
        self.compute.delete(step.zone, step.subject)
        self.instance = None

    def _make_key(self) -> None:
        self.key = self.access.files.make_key(self.wanted.name)

    def _create(self) -> None:
        """Create the instance in the first zone that has room for it."""
        image = self.compute.image_of_family(self.wanted.image_project, self.wanted.image_family)
        labels = self.wanted.all_labels(self.access.now())
        self._let_key_in(int(labels[EXPIRES]))
        for zone in self.wanted.zones:
            try:
                self.compute.create(zone, self.wanted, image, labels, self.key)
            except CloudError as error:
                if not error.failure.is_stockout or zone == self.wanted.zones[-1]:
                    raise
            else:
                break

    def _start(self) -> None:
        instance = self._settled(STOPPED)
        self._let_key_in(int(self.access.now()) + self.wanted.seconds)
        self.compute.start(instance.zone, instance.name)
        self.instance = None

    def _stop(self) -> None:
        instance = self._settled(RUNNING)
        self.compute.stop(instance.zone, instance.name)
        self._settled(STOPPED)

    def _label(self) -> None:
        self.compute.label(self._read(), self.wanted.all_labels(self.access.now()))
        self._read()

    def _note_host(self) -> None:
        """Note the host keys that the instance has told Compute Engine, which vouches for where they come from."""
        instance = self._settled(RUNNING)
        keys = self.access.patience.wait(lambda: self.compute.host_keys(instance.zone, instance.name), until=bool)
        if not keys:
            raise LabError(
                f"Learn the host keys of {instance.name}",
                f"It has told none within {self.access.patience.seconds:.0f} s. {self._console(instance)}",
                "Its image has no guest agent that publishes them, or it has not booted yet",
                "Take an image of Google's (of ubuntu-os-cloud or debian-cloud), or raise timeout",
            )
        self.access.files.note(Server(instance.address, self.wanted.ssh_port, ""), keys)

    def _let_key_in(self, ends: int) -> None:
        if self.wanted.os_login:
            self.access.os_login.import_key(self.key, ends)

    def _read(self) -> Instance:
        """The instance as it is now. Raises LabError when it is gone."""
        found = self.compute.instances(f"name={self.wanted.name}")
        if not found:
            raise LabError(
                f"Work on the instance {self.wanted.name}",
                "It is not there any more",
                "Somebody deleted it, or its time was over",
                "Run this again",
            )
        self.instance = found[0]
        return found[0]

    def _settled(self, status: str) -> Instance:
        """The instance once it has a status, and an address if it runs. Raises LabError with the last one seen."""

        def arrived(instance: Instance) -> bool:
            return instance.status == status and (status != RUNNING or bool(instance.address))

        if self.instance and arrived(self.instance):
            return self.instance
        instance = self.access.patience.wait(self._read, until=arrived)
        if not arrived(instance):
            raise LabError(
                f"Wait until the instance {instance.name} is {status}",
                f"After {self.access.patience.seconds:.0f} s it is {instance.status}. {self._console(instance)}",
                remedy="Run this again: it goes on with what it finds",
            )
        return instance

    def _console(self, instance: Instance) -> str:
        """What the instance said last, as part of an error; "" where nobody can tell."""
        try:
            said = self.compute.console(instance.zone, instance.name)
        except CloudError:
            return ""
        return f"The end of its serial port says:\n{said}\n" if said else "Its serial port says nothing"


def _no_use_to_wait(said: str) -> bool:
    """Whether ssh got in, or failed in a way that does not pass."""
    return not said or any(sign in said for sign in HOPELESS)


def _cause_of(said: str) -> tuple[str, str]:
    """The likely cause of what ssh said, and the next step."""
    if "Host key verification failed" in said:
        return (
            "Who answers there is not the machine that Compute Engine vouches for, or it has new keys",
            "If you know why, stop and start the instance: its keys are asked for anew. If not, do not trust it",
        )
    if "Permission denied" in said:
        return (
            "The account or its key is not there: the guest agent makes it, OS Login wants a role for it",
            f"See its serial port; {ROLES}",
        )
    return (
        "The firewall keeps this machine out, or sshd does not run",
        "See that ssh_ranges hold the address that you are seen by, and that the organization's firewall lets you in",
    )
