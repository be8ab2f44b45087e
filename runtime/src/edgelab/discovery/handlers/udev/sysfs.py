"""The devices of this machine, by libudev: what it enumerates, as values that rules can be compared with."""

import contextlib
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import pyudev

from edgelab.discovery.handlers.udev.grammar import Field, Rule
from edgelab.discovery.handlers.udev.match import Found, UdevDevice, matches, representative

SYS = Path("/sys")

_NARROWING = {Field.SUBSYSTEM: pyudev.Enumerator.match_subsystem, Field.KERNEL: pyudev.Enumerator.match_sys_name}
"""What libudev can decide by names of directories alone. `matches` decides; this spares it most of the devices."""


def scan(rules: Iterable[Rule]) -> set[Found]:
    """What any of the rules means, now. Blocking: up to a second for a large machine and a rule without KERNEL."""
    context = pyudev.Context()
    return {
        representative(device)
        for rule in rules
        for device in map(SysfsDevice, _candidates(context, rule))
        if matches(rule, device)
    }


def iommu_group(devpath: str) -> str | None:
    """The IOMMU group of a device, by its path below /sys."""
    try:
        return (SYS / devpath.lstrip("/") / "iommu_group").readlink().name
    except OSError:
        return None


def _candidates(context: pyudev.Context, rule: Rule) -> pyudev.Enumerator:
    enumerator = context.list_devices()
    narrowed = set()
    for each in rule:
        # Once per field: libudev takes a second one as an alternative.
        if each.field in _NARROWING and not each.negated and each.field not in narrowed:
            _NARROWING[each.field](enumerator, each.value)
            narrowed.add(each.field)
    return enumerator


class SysfsDevice:
    """A device as libudev sees it. One that goes away meanwhile has less to tell, and raises nothing."""

    def __init__(self, device: pyudev.Device) -> None:
        self._device = device

    @property
    def devpath(self) -> str:
        """Its directory below /sys."""
        path: str = self._device.device_path
        return path

    @property
    def name(self) -> str:
        """The kernel's name for it."""
        name: str = self._device.sys_name
        return name

    @property
    def node(self) -> str | None:
        """Its file in /dev."""
        node: str | None = self._device.device_node
        return node

    @property
    def subsystem(self) -> str | None:
        """What kind of thing it is."""
        subsystem: str | None = self._device.subsystem
        return subsystem

    @property
    def driver(self) -> str | None:
        """The driver that serves it."""
        driver: str | None = self._device.driver
        return driver

    @cached_property
    def properties(self) -> dict[str, str]:
        """What the kernel and udev's rules say of it."""
        found: dict[str, str] = {}
        for name in self._device.properties:
            with contextlib.suppress(KeyError, UnicodeDecodeError):
                found[name] = self._device.properties[name]
        return found

    @cached_property
    def parent(self) -> UdevDevice | None:
        """The device that it is part of."""
        parent = self._device.parent
        return SysfsDevice(parent) if parent is not None else None

    def attribute(self, name: str) -> str | None:
        """The content of a file in its directory."""
        content: bytes | None = self._device.attributes.get(name)
        return None if content is None else os.fsdecode(content)
