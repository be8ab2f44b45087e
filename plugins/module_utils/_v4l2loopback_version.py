# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Which version of v4l2loopback a machine has.

The module itself need not say: 0.12.7 carries no version that modinfo or the kernel would show.
DKMS knows what it built.
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._host import command, read


def of_module(release: str, root: Path = Path("/")) -> str:
    """The version that modprobe would load into a kernel; empty when there is none, or nobody knows."""
    told = command(["modinfo", "-k", release, "-F", "version", "v4l2loopback"], codes=(0, 1)).strip()
    return told or built(release, root)


def built(release: str, root: Path = Path("/")) -> str:
    """The version that DKMS built for a kernel; empty when it built none."""
    links = (root / "var/lib/dkms/v4l2loopback").glob(f"kernel-{release}-*")
    return next((link.readlink().parts[0] for link in links), "")


def loaded(release: str, root: Path = Path("/")) -> str | None:
    """The version that is loaded; None when none is, empty when nobody knows."""
    directory = root / "sys/module/v4l2loopback"
    if not directory.is_dir():
        return None
    return (read(directory / "version") or "").strip() or of_module(release, root)
