# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What is wanted of a machine in Compute Engine and what is found there, as values; and what makes a thing ours.

An instance and its disk are ours by their labels. A firewall rule has none: its description carries the same words.
Nothing that is not ours is ever changed or deleted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

try:
    from edgelab.core import errors

    LabError = errors.LabError
except ImportError:  # said by _lab_module.run
    LabError = Exception  # type: ignore[assignment,misc]

MADE_BY, LAB, EXPIRES = "edgelab-made-by", "edgelab-lab", "edgelab-expires"
OURS = "edgelab-akri"

LONGEST_HOURS = 120 * 24
"""The longest limit of an instance's run that Compute Engine takes."""

RUNNING, STOPPED = "RUNNING", "TERMINATED"
BECOMING_STOPPED = ("STOPPING", "PENDING_STOP")


@dataclass(frozen=True)
class Wanted:
    """An instance as it is to be. `zones` are tried in order; an image is named by project and family."""

    name: str
    lab: str
    running: bool
    zones: tuple[str, ...]
    machine_type: str
    image_project: str
    image_family: str
    disk_gigabytes: int
    disk_type: str
    network: str
    subnetwork: str | None
    public_address: bool
    keep_hours: int
    labels: Mapping[str, str]
    ssh_user: str
    ssh_port: int
    ssh_ranges: tuple[str, ...]
    os_login: bool

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Wanted:
        """From the module's parameters. Raises LabError for values that must not be."""
        check_ranges(params["ssh_ranges"], allow_any=params["allow_any_address"])
        if not 1 <= params["keep_hours"] <= LONGEST_HOURS:
            raise LabError(
                "Limit the instance's run", f"keep_hours is {params['keep_hours']}, not 1 to {LONGEST_HOURS}"
            )
        if not params["zones"]:
            raise LabError("Choose a zone", "The list of zones is empty")
        return cls(
            running=params["state"] == "started",
            zones=tuple(params["zones"]),
            labels={key: str(value) for key, value in params["labels"].items()},
            ssh_ranges=tuple(sorted(params["ssh_ranges"])),
            **{name: params[name] for name in _PLAIN},
        )

    @property
    def seconds(self) -> int:
        """How long the instance may run before Compute Engine deletes it."""
        return self.keep_hours * 3600

    def all_labels(self, now: float) -> dict[str, str]:
        """The labels of an instance that begins to run now."""
        return {**self.labels, MADE_BY: OURS, LAB: self.lab, EXPIRES: str(int(now) + self.seconds)}

    def access(self, public_key: str) -> dict[str, str]:
        """The metadata that decides who gets in, and that the host key can be asked for."""
        common = {"enable-guest-attributes": "TRUE", "block-project-ssh-keys": "TRUE"}
        if self.os_login:
            return {**common, "enable-oslogin": "TRUE"}
        return {**common, "enable-oslogin": "FALSE", "ssh-keys": f"{self.ssh_user}:{public_key}"}


_PLAIN = (
    "name",
    "lab",
    "machine_type",
    "image_project",
    "image_family",
    "disk_gigabytes",
    "disk_type",
    "network",
    "subnetwork",
    "public_address",
    "keep_hours",
    "ssh_user",
    "ssh_port",
    "os_login",
)


@dataclass(frozen=True)
class Instance:
    """An instance as it is. `image_family` and the disk's sizes are None where the disk or its image is gone."""

    name: str
    zone: str
    status: str
    address: str = ""
    machine_type: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    label_fingerprint: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    run_seconds: int = 0
    termination_action: str = ""
    image_family: str | None = None
    disk_gigabytes: int | None = None
    disk_type: str | None = None

    @property
    def uses_os_login(self) -> bool:
        """Whether accounts and keys come from OS Login."""
        return self.metadata.get("enable-oslogin", "").upper() == "TRUE"


@dataclass(frozen=True)
class Disk:
    """A disk as it is; `image` is the link to the image that it was made from."""

    name: str
    zone: str
    labels: Mapping[str, str] = field(default_factory=dict)
    attached: bool = False
    gigabytes: int = 0
    disk_type: str = ""
    image: str = ""


@dataclass(frozen=True)
class Rule:
    """A firewall rule that lets TCP in; `words` are the labels in its description."""

    name: str
    network: str
    tag: str
    port: int
    ranges: tuple[str, ...]
    words: Mapping[str, str] = field(default_factory=dict)
    disabled: bool = False


@dataclass(frozen=True)
class Found:
    """What there is of one name: in the cloud, and of the key pair on this side."""

    instance: Instance | None = None
    disks: tuple[Disk, ...] = ()
    rule: Rule | None = None
    public_key: str | None = None
    host_known: bool = False


def rule_for(wanted: Wanted, now: float) -> Rule:
    """The firewall rule of an instance; its tag is the instance's name."""
    return Rule(
        name=rule_name(wanted.name),
        network=wanted.network,
        tag=wanted.name,
        port=wanted.ssh_port,
        ranges=wanted.ssh_ranges,
        words={MADE_BY: OURS, LAB: wanted.lab, EXPIRES: str(int(now) + wanted.seconds)},
    )


def rule_name(instance: str) -> str:
    """The name of an instance's firewall rule."""
    return f"{instance}-ssh"


def describe(words: Mapping[str, str]) -> str:
    """A firewall rule's description with the words that make it ours."""
    return "ssh to a lab of edgelab.akri: " + " ".join(f"{key}={value}" for key, value in sorted(words.items()))


def words_of(description: str) -> dict[str, str]:
    """The words in a description, {} for one that has none."""
    return dict(word.split("=", 1) for word in description.split() if "=" in word)


def is_ours(labels: Mapping[str, str], lab: str | None = None) -> bool:
    """Whether labels, or a description's words, say that this collection made a thing (for one lab)."""
    return labels.get(MADE_BY) == OURS and (lab is None or labels.get(LAB) == lab)


def expired(labels: Mapping[str, str], now: float) -> bool:
    """Whether a thing of ours is past its time. What does not say when its time ends is not."""
    ends = labels.get(EXPIRES, "")
    return is_ours(labels) and ends.isdigit() and int(ends) <= now


def check_ranges(ranges: list[str], *, allow_any: bool) -> None:
    """Raises LabError for what is no range of addresses, and for all addresses unless that is allowed."""
    attempted = f"Let ssh in from {', '.join(ranges) or 'nowhere'}"
    for each in ranges:
        try:
            network = ipaddress.ip_network(each)
        except ValueError as error:
            raise LabError(attempted, str(error), remedy="Write ranges like 203.0.113.7/32") from error
        if network.prefixlen == 0 and not allow_any:
            raise LabError(
                attempted,
                f"{each} is every address there is",
                remedy="Name the ranges that you connect from, or allow it by allow_any_address",
            )
    if not ranges:
        raise LabError(attempted, "Nobody could connect", remedy="Name the ranges that you connect from")
