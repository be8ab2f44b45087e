# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Have the devices of v4l2loopback, now and after each boot, or have none.

A module that is loaded with other options is loaded again, unless somebody uses its devices: then nothing is changed
and the error says who.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils import _v4l2loopback_model as model
from ansible_collections.edgelab.akri.plugins.module_utils import _v4l2loopback_version as versions
from ansible_collections.edgelab.akri.plugins.module_utils._host import (
    HostError,
    command,
    difference,
    differing,
    read,
    write,
)
from ansible_collections.edgelab.akri.plugins.module_utils._v4l2loopback_support import OLDEST, new_enough

_SYS = Path("/sys")
_DEV = Path("/dev")


def present(wanted: Sequence[model.Device], *, dry_run: bool) -> dict[str, Any]:
    """Have exactly these devices. In a dry run the module itself need not be there yet."""
    found = loaded()
    changes = differing(model.files(wanted))
    load = model.must_load(wanted, found)
    if load:
        _refuse_foreign(wanted, found)
        _refuse_used(found, "Load v4l2loopback with other options")
    result = {
        "changed": bool(changes) or load,
        "diff": [*difference(changes), *_difference(found, wanted)],
        "devices": [device.path for device in wanted],
    }
    if not dry_run:
        write(changes)
        if load:
            _load(found)
        _assert_new_enough()
    return result


def absent(*, dry_run: bool) -> dict[str, Any]:
    """Unload the module and forget its options."""
    found = loaded()
    changes = differing(model.files(()))
    if found:
        _refuse_used(found, "Unload v4l2loopback")
    result = {
        "changed": bool(changes) or bool(found),
        "diff": [*difference(changes), *_difference(found, ())],
        "devices": [],
    }
    if not dry_run:
        if found:
            command(["modprobe", "--remove", "v4l2loopback"])
        write(changes)
    return result


def loaded() -> model.Loaded | None:
    """The module as it is loaded; None when it is not."""
    version = versions.loaded(os.uname().release)
    if version is None:
        return None
    nodes = [path.parent for path in (_SYS / "devices/virtual/video4linux").glob("video*/max_openers")]
    devices = frozenset(
        model.Device((read(node / "name") or "").strip(), int(node.name.removeprefix("video"))) for node in nodes
    )
    capable = (read(_SYS / "module/v4l2loopback/parameters/exclusive_caps") or "").strip().split(",")
    exclusive = capable[: len(devices)] == ["Y"] * len(devices)
    return model.Loaded(version, devices, exclusive)


def users(devices: Sequence[str], proc: Path = Path("/proc")) -> list[str]:
    """Who has one of the device nodes open: `gst-launch-1.0 (412, edgelab-camera-video10.service): /dev/video10`."""
    found = []
    for descriptor in proc.glob("[0-9]*/fd/*"):
        try:
            target = str(descriptor.readlink())
        except OSError:  # it ended, or closed the file, while we looked
            continue
        if target in devices:
            found.append(f"{_process(descriptor.parents[1])}: {target}")
    return sorted(set(found))


def _process(directory: Path) -> str:
    name = (read(directory / "comm") or "a process").strip()
    unit = re.search(r"/([^/\n]+\.service)$", read(directory / "cgroup") or "", re.MULTILINE)
    return f"{name} ({', '.join([directory.name, *([unit[1]] if unit else [])])})"


def _refuse_used(found: model.Loaded | None, attempt: str) -> None:
    using = users([device.path for device in found.devices]) if found else []
    if using:
        raise HostError(
            f"{attempt}: its devices are in use by {'; '.join(using)}. Nothing was changed. Stop these (systemctl stop "
            "for a service; the cameras of the role virtual_cameras start again with it), then run this again."
        )


def _refuse_foreign(wanted: Sequence[model.Device], found: model.Loaded | None) -> None:
    """Device numbers that real cameras have, and options that another file gives to the same module."""
    ours = found.devices if found else frozenset()
    numbers = {device.number for device in ours}
    taken = [device.path for device in wanted if device.number not in numbers and _exists(device)]
    if taken:
        raise HostError(f"Make {taken[0]}: it exists and is another driver's. Choose another number for this camera.")
    for path in sorted(model.OPTIONS.parent.glob("*.conf")):
        if path != model.OPTIONS and re.search(r"^\s*options\s+v4l2loopback\s", read(path) or "", re.MULTILINE):
            raise HostError(
                f"{path} gives options to v4l2loopback, too, and modprobe would mix them with ours. Remove that line, "
                "or the file, then run this again."
            )


def _exists(device: model.Device) -> bool:
    return (_DEV / f"video{device.number}").exists()


def _load(found: model.Loaded | None) -> None:
    if found:
        command(["modprobe", "--remove", "v4l2loopback"])
    command(["modprobe", "v4l2loopback"])
    # The nodes are root's alone until udev has seen them.
    command(["udevadm", "settle", "--timeout=120"])


def _assert_new_enough() -> None:
    now = loaded()
    if now is None or not new_enough(now.version):
        version = now.version or "a version that nobody knows" if now else "none"
        raise HostError(
            f"Load v4l2loopback: {version} is loaded and Akri's cameras need {OLDEST}. An older copy of the module "
            "probably stands before the package's: see modinfo --filename v4l2loopback."
        )


def _difference(found: model.Loaded | None, wanted: Sequence[model.Device]) -> list[dict[str, str]]:
    before, after = (_listing(devices) for devices in (found.devices if found else (), wanted))
    told = {"before_header": "devices", "after_header": "devices", "before": before, "after": after}
    return [told] if before != after else []


def _listing(devices: Iterable[model.Device]) -> str:
    return "".join(sorted(f"{device.path} {device.label}\n" for device in devices))
