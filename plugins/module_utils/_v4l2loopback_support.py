# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Whether a machine can have v4l2loopback, what keeps it from it in words, and which packages it takes.

Pure: `Support` is what was found, `obstacle` and `wanted_packages` are the verdicts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.edgelab.akri.plugins.module_utils._kernel import Kernel, version_key

OLDEST = "0.12.5"
"""The version that Akri's own instructions for mock cameras have people install (akri #42, #112)."""
DKMS = "v4l2loopback-dkms"
_NETWORK_CAMERAS = "Cameras that need no kernel module: network cameras (ONVIF), which Akri discovers as well."


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package as apt sees it; an empty version: not installed, or not in the package lists."""

    installed: str = ""
    candidate: str = ""


@dataclass(frozen=True, slots=True)
class Support:
    """What decides whether v4l2loopback can be had."""

    kernel: Kernel
    loaded_version: str = ""
    """Version of the module that is loaded; empty when it is not."""
    module_version: str = ""
    """Version of the module for the running kernel; empty when there is none."""
    module_signed: bool = False
    """Whether it is signed by the distribution, whose key the firmware trusts."""
    key_enrolled: bool = False
    """Whether the firmware trusts the key that DKMS signs with."""
    lists: bool = True
    """Whether apt has package lists, so that a package not in them is one that cannot be had."""
    packages: Mapping[str, Package] = field(default_factory=dict)

    def package(self, name: str) -> Package:
        """A package by its name."""
        return self.packages.get(name, Package())

    def obtainable(self, name: str) -> bool:
        """Whether apt could install it, as far as is known."""
        return bool(self.package(name).candidate) or not self.lists


def headers_package(kernel: Kernel) -> str:
    """What modules are built against."""
    return f"linux-headers-{kernel.running}"


def extra_package(kernel: Kernel) -> str:
    """What Ubuntu puts the modules into that its cloud kernels come without."""
    return f"linux-modules-extra-{kernel.running}"


def is_ready(found: Support) -> bool:
    """Whether a module that is new enough is loaded, or can be as it is."""
    if new_enough(found.loaded_version):
        return True
    usable = found.module_signed or found.key_enrolled or not found.kernel.secure_boot
    return new_enough(found.module_version) and "videodev" in found.kernel.modules and usable


def new_enough(version: str) -> bool:
    """Whether a version of v4l2loopback will do; its epoch and Debian's part do not matter."""
    upstream = re.match(r"(?:\d+:)?v?(\d+(?:\.\d+)*)", version)
    return upstream is not None and version_key(upstream[1]) >= version_key(OLDEST)


def wanted_packages(found: Support, companions: tuple[str, ...] = ()) -> list[str]:
    """The packages that are still to be installed; none when the module is there.

    `companions` are packages that depend on the newest kernel's headers (and extra modules), so that the next upgrade
    of the kernel brings the module along.
    """
    if is_ready(found):
        return []
    kernel = found.kernel
    needed = []
    if "videodev" not in kernel.modules:
        needed.append(extra_package(kernel))
    if not kernel.headers:
        needed.append(headers_package(kernel))
    needed += [name for name in companions if found.package(name).candidate and not found.package(name).installed]
    return [*needed, DKMS]


def obstacle(found: Support) -> str:
    """Why this machine cannot have v4l2loopback as it is, and the remedy; empty when nothing stands in the way."""
    if is_ready(found):
        return ""
    checks = (_no_modules, _no_video, _too_old, _not_trusted, _no_headers, _no_package)
    return next((told for check in checks if (told := check(found))), "")


def _no_modules(found: Support) -> str:
    kernel = found.kernel
    if kernel.container:
        return (
            f"This is a container ({kernel.container}): its kernel is that of the machine around it, and only there "
            "can modules be loaded. Apply the role v4l2loopback to that machine and hand its /dev/video devices to the "
            f"container. {_NETWORK_CAMERAS}"
        )
    if not kernel.loadable:
        return f"Kernel {kernel.running} is built without loadable modules, so no v4l2loopback. {_NETWORK_CAMERAS}"
    if not kernel.modules:
        return (
            f"There are no modules for the running kernel {kernel.running}: it was probably replaced by an upgrade. "
            "Reboot into the installed kernel (the role linux_host does), then run this again."
        )
    return ""


def _no_video(found: Support) -> str:
    kernel = found.kernel
    if "videodev" in kernel.modules:
        return ""
    if kernel.distribution != "ubuntu":
        plain = re.sub(r"^(cloud|rt)-", "", kernel.flavour)
        return (
            f"Kernel {kernel.running} has no video support (module videodev), as Debian's cloud kernels. Install "
            f"linux-image-{plain}, remove linux-image-{kernel.flavour} and linux-image-{kernel.running}, reboot, then "
            "run this again."
        )
    if not found.obtainable(extra_package(kernel)):
        return (
            f"Kernel {kernel.running} lacks the module videodev, and the package that has it, {extra_package(kernel)}, "
            "is not in the package lists: the running kernel is probably not the newest one. Upgrade and reboot (the "
            "role linux_host does both), then run this again."
        )
    return ""


def _too_old(found: Support) -> str:
    offered = found.package(DKMS)
    if found.module_version and not new_enough(found.module_version) and offered.installed != offered.candidate:
        return (
            f"v4l2loopback {found.module_version} is installed and Akri's cameras need {OLDEST}; the package lists "
            f"have {offered.candidate}. Upgrade it (the role linux_host does), then run this again."
        )
    version = offered.candidate or found.module_version
    if version and not new_enough(version):
        return (
            f"v4l2loopback {version} is what this machine has or can install, and Akri's cameras need {OLDEST}. Use "
            "Debian 12, Ubuntu 24.04 or later, or build a newer module by hand; it is used then."
        )
    return ""


def _not_trusted(found: Support) -> str:
    if not found.kernel.secure_boot or found.key_enrolled:
        return ""
    return (
        "Secure Boot is on, and a module that this machine builds itself is not signed by a key that its firmware "
        "trusts: the kernel would refuse v4l2loopback. Turn Secure Boot off, or enrol the key that DKMS signs with "
        "(mokutil --import /var/lib/dkms/mok.pub, then confirm at the console during a reboot) and run this again. "
        f"{_NETWORK_CAMERAS}"
    )


def _no_headers(found: Support) -> str:
    name = headers_package(found.kernel)
    if found.kernel.headers or found.obtainable(name):
        return ""
    return (
        f"The headers of the running kernel are not installed and {name} is not in the package lists, so v4l2loopback "
        "cannot be built for it: the running kernel is probably not the newest one. Upgrade and reboot (the role "
        "linux_host does both), or install the headers that belong to this kernel, then run this again."
    )


def _no_package(found: Support) -> str:
    if found.obtainable(DKMS):
        return ""
    return (
        f"{DKMS} is not in the package lists. On Ubuntu it is in the component universe (add-apt-repository universe); "
        "then run apt-get update and this again."
    )
