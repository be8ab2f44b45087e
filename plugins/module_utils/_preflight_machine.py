# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What this machine is: read from /proc, /sys and the file systems; nothing is changed and nothing is run."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._preflight import Machine

_LISTEN = "0A"
_MIB = 1024 * 1024


def look(modules: Iterable[str], disks: Iterable[Path]) -> Machine:
    """The machine, with those of some kernel modules that it lacks and the room at some paths (they need not exist)."""
    kernel = platform.release()
    return Machine(
        architecture=platform.machine(),
        kernel=kernel,
        cgroups=cgroups(Path("/sys/fs/cgroup")),
        init=Path("/proc/1/comm").read_text().strip(),
        memory=available_memory(Path("/proc/meminfo").read_text()),
        disk={str(path): shutil.disk_usage(_existing(path)).free // _MIB for path in disks},
        absent_modules=[name for name in modules if not _has(name, Path("/"), kernel)],
        listening=sorted(port for table in ("tcp", "tcp6") for port in listening(_read(Path("/proc/net", table)))),
    )


def cgroups(mount: Path) -> str:
    """Which version of control groups is mounted there. A mount of v2 beside those of v1 has no controllers: v1."""
    return "v2" if (mount / "cgroup.controllers").exists() else "v1"


def available_memory(meminfo: str) -> int:
    """MiB that programs can have without swapping, from the text of /proc/meminfo."""
    line = next(line for line in meminfo.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) // 1024


def listening(table: str) -> set[int]:
    """The ports that somebody listens on, from the text of /proc/net/tcp or tcp6."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == _LISTEN}


def _has(module: str, root: Path, kernel: str) -> bool:
    # What is built in may leave no trace in /sys/module, and a container may have no /lib/modules at all.
    if (root / "sys/module" / module).exists() or module in _words(root / "proc/filesystems"):
        return True
    installed = root / "lib/modules" / kernel
    files = _read(installed / "modules.builtin") + _read(installed / "modules.dep")
    names = {Path(line.split(":")[0]).name.split(".")[0].replace("-", "_") for line in files.splitlines()}
    return module in names


def _words(path: Path) -> Sequence[str]:
    return _read(path).split()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if os.path.lexists(parent))
