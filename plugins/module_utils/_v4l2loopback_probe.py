# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Look at a machine for what decides whether, and how, it can have v4l2loopback. Changes nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils import _kernel as kernels
from ansible_collections.edgelab.akri.plugins.module_utils import _v4l2loopback_support as support
from ansible_collections.edgelab.akri.plugins.module_utils import _v4l2loopback_version as version
from ansible_collections.edgelab.akri.plugins.module_utils._host import command

_DKMS_KEYS = (Path("/var/lib/dkms/mok.pub"), Path("/var/lib/shim-signed/mok/MOK.der"))
_LISTS = Path("/var/lib/apt/lists")
# `linux-image-amd64`, `linux-image-generic-hwe-24.04`: packages that depend on the newest kernel of their kind.
_NEWEST = re.compile(r"linux-image-(?!\d|unsigned|extra)(?P<kind>\S+)")


def report() -> dict[str, Any]:
    """The module's result."""
    kernel = kernels.observe()
    companions = _companions(kernel)
    names = [support.headers_package(kernel), support.extra_package(kernel), support.DKMS, *companions]
    has_module = "v4l2loopback" in kernel.modules
    found = support.Support(
        kernel=kernel,
        loaded_version=version.loaded(kernel.running) or "",
        module_version=version.of_module(kernel.running) if has_module else "",
        module_signed=has_module and _signed(kernel),
        key_enrolled=kernel.secure_boot and _key_enrolled(),
        lists=any(_LISTS.glob("*_Packages*")),
        packages=policy(command(["apt-cache", "policy", *names])),
    )
    told = support.obstacle(found)
    packages = [] if told else support.wanted_packages(found, companions)
    return {
        "changed": False,
        "kernel": kernel.running,
        "obstacle": told,
        "packages": packages,
        "version": found.module_version or found.loaded_version,
    }


def policy(text: str) -> dict[str, support.Package]:
    """What `apt-cache policy NAME...` printed."""
    pattern = r"^(\S+):\n  Installed: (\S+)\n  Candidate: (\S+)"
    found = re.findall(pattern, text, re.MULTILINE)
    return {name: support.Package(_version(installed), _version(candidate)) for name, installed, candidate in found}


def companions(installed: Sequence[str], kernel: kernels.Kernel) -> tuple[str, ...]:
    """The packages that follow the newest kernel's headers, and Ubuntu's extra modules, for the kernels installed."""
    kinds = [found["kind"] for name in installed if (found := _NEWEST.fullmatch(name))]
    parts = ["headers", "modules-extra"] if kernel.distribution == "ubuntu" else ["headers"]
    return tuple(f"linux-{part}-{kind}" for kind in kinds for part in parts)


def _companions(kernel: kernels.Kernel) -> tuple[str, ...]:
    listed = command(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", "linux-image-*"], codes=(0, 1))
    return companions([line.split()[0] for line in listed.splitlines() if line.endswith(" installed")], kernel)


def _version(text: str) -> str:
    return "" if text == "(none)" else text


def _modinfo(field: str, kernel: kernels.Kernel) -> str:
    return command(["modinfo", "-k", kernel.running, "-F", field, "v4l2loopback"], codes=(0, 1)).strip()


def _signed(kernel: kernels.Kernel) -> bool:
    """Whether it is the distribution's; what DKMS builds is signed as well, by a key that need not be trusted."""
    return bool(_modinfo("signer", kernel)) and "/updates/" not in _modinfo("filename", kernel)


def _key_enrolled() -> bool:
    """Whether the firmware trusts a key of DKMS; only mokutil can tell."""
    if not shutil.which("mokutil"):
        return False
    keys = [str(key) for key in _DKMS_KEYS if key.exists()]
    return any("already enrolled" in command(["mokutil", "--test-key", key], codes=(0, 1)) for key in keys)
