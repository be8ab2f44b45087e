# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The devices of v4l2loopback: which ones are wanted, how modprobe is told, and how that differs from what is loaded.

Pure. The options stand in /etc/modprobe.d, so that loading at boot and by hand is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._host import HostError

OPTIONS = Path("/etc/modprobe.d/edgelab-v4l2loopback.conf")
AT_BOOT = Path("/etc/modules-load.d/edgelab-v4l2loopback.conf")
_MOST = 8  # MAX_DEVICES of v4l2loopback
_NUMBERS = range(256)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:-]{0,30}")  # the kernel keeps 31 characters, and splits at commas


@dataclass(frozen=True, slots=True)
class Device:
    """One camera: /dev/videoNUMBER, and the name that programs show for it."""

    label: str
    number: int

    @property
    def path(self) -> str:
        """Its device node."""
        return f"/dev/video{self.number}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The loaded module."""

    version: str
    devices: frozenset[Device]
    exclusive: bool
    """Whether every device has exclusive_caps, without which readers do not take it for a camera."""


def devices(given: Sequence[Mapping[str, object]]) -> tuple[Device, ...]:
    """The devices of a list of label and number. Raises HostError for what v4l2loopback cannot make."""
    wanted = tuple(Device(str(item["label"]), int(str(item["number"]))) for item in given)
    wrong = [device.label for device in wanted if not _LABEL.fullmatch(device.label)]
    if not 1 <= len(wanted) <= _MOST:
        raise HostError(f"v4l2loopback makes 1 to {_MOST} devices; {len(wanted)} are given.")
    if wrong:
        raise HostError(
            f"Not a label: {wrong[0]!r}. A label has up to 31 letters, digits, spaces and . _ : - and begins with a "
            "letter or digit."
        )
    if any(device.number not in _NUMBERS for device in wanted):
        raise HostError(f"The numbers of video devices are 0 to {_NUMBERS[-1]}.")
    if min(len({device.number for device in wanted}), len({device.label for device in wanted})) < len(wanted):
        raise HostError("Two devices have the same number or the same label; both must be unique.")
    return wanted


def files(wanted: Sequence[Device]) -> dict[Path, str | None]:
    """The files that say so to modprobe, now and at boot; without devices, that they are not there."""
    if not wanted:
        return {OPTIONS: None, AT_BOOT: None}
    head = "# Written by the role edgelab.akri.v4l2loopback.\n"
    return {OPTIONS: f"{head}options v4l2loopback {options(wanted)}\n", AT_BOOT: f"{head}v4l2loopback\n"}


def options(wanted: Sequence[Device]) -> str:
    """The module's options. Each is a list: a lone `exclusive_caps=1` would be for the first device only.

    The labels are quoted as a whole, for the kernel takes quotes away around a value, not within it.
    """
    numbers = ",".join(str(device.number) for device in wanted)
    labels = ",".join(device.label for device in wanted)
    exclusive = ",".join(["1"] * len(wanted))
    return f'devices={len(wanted)} video_nr={numbers} exclusive_caps={exclusive} card_label="{labels}"'


def must_load(wanted: Sequence[Device], loaded: Loaded | None) -> bool:
    """Whether the module has to be loaded, or loaded again, for the devices to be those."""
    return loaded is None or loaded.devices != frozenset(wanted) or not loaded.exclusive
