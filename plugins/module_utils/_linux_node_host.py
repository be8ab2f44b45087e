# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a node takes of the machine and gives back: packages, settings of the kernel, directories; and ending its Pods.

The record of what there was before is the first thing written and the last one removed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node_model as model
from ansible_collections.edgelab.akri.plugins.module_utils._host import HostError, command, read, write

_RECORD = model.ROOT / "record.json"
_SYSCTL = Path("/proc/sys")
_SETTINGS = (  # that kubelet and the plugins for networks change
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
_DIRECTORIES = (  # that packages, kubelet and Pods make
    "/etc/cni",
    "/etc/containerd",
    "/opt/cni",
    "/opt/containerd",
    "/run/containerd",
    "/run/edgelab-cni",
    "/var/lib/akri",
    "/var/lib/akri-agent",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
)
_CGROUPS = Path("/sys/fs/cgroup")
_PODS = _CGROUPS / "kubepods.slice"
_NETWORKS = Path("/run/netns")
_MOUNTS = ("/run/containerd/", "/run/netns/cni-", "/var/lib/containerd/", "/var/lib/kubelet/")
_GRACE_SECONDS = 10
_APT = ("apt-get", "--yes", "--quiet", "--option=DPkg::Lock::Timeout=300", "--option=Dpkg::Options::=--force-confold")


@dataclass(frozen=True)
class Record:
    """What the machine was before: whose node it became, packages that came, settings and directories that were."""

    lab: str
    settings: dict[str, str]
    directories: list[str]
    packages: list[str]


def recorded() -> Record | None:
    """What was written down; None on a machine that is no node of ours."""
    text = read(_RECORD)
    return Record(**json.loads(text)) if text else None


def begin(lab: str) -> Record:
    """Write down what the machine is before anything is changed about it."""
    settings = {name: (read(_SYSCTL / name) or "").strip() for name in _SETTINGS}
    there = [path for path in _DIRECTORIES if Path(path).exists()]
    return _note(Record(lab, settings, there, []))


def _note(record: Record) -> Record:
    write({_RECORD: json.dumps(asdict(record), indent=2) + "\n"})
    return record


def installed() -> set[str]:
    """Names of all packages that are installed, or have left their configuration."""
    listed = command(["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n"]).splitlines()
    return {name for name, _space, status in (line.partition(" ") for line in listed) if status != "not-installed"}


def install(record: Record, packages: Iterable[str]) -> Record:
    """Install packages, and write down all that came with them."""
    before = installed()
    argv = [*_APT, "--no-install-recommends", "install", *packages]
    try:
        try:
            _apt(argv)
        except HostError:  # the lists of packages may be old, or not there yet
            _apt([*_APT, "update"])
            _apt(argv)
    finally:
        record = _note(replace(record, packages=sorted({*record.packages, *(installed() - before)})))
    return record


def _apt(argv: list[str]) -> None:
    command(["env", "DEBIAN_FRONTEND=noninteractive", *argv])


def undo(record: Record) -> None:
    """Give the machine back as it was, once nothing of the node runs any more."""
    if record.packages:
        _apt([*_APT, "purge", *record.packages])
    for path in {*_DIRECTORIES, str(model.PROGRAMS)} - set(record.directories):
        shutil.rmtree(path, ignore_errors=True)
    for name, value in record.settings.items():
        if value and (read(_SYSCTL / name) or "").strip() != value:
            (_SYSCTL / name).write_text(value)
    shutil.rmtree(model.ROOT)
    with suppress(OSError):  # something else is there
        model.ROOT.parent.rmdir()


def end_pods() -> None:
    """End what runs in Pods: asked to first, then killed; and their sandboxes, and all that was mounted for them."""
    _signal(_PODS, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while _populated(_PODS) and time.monotonic() < deadline:
        time.sleep(0.5)
    _kill(_PODS)
    # What stands between containerd and each Pod outlives containerd.
    _kill(_CGROUPS / "system.slice/containerd.service")
    command(["systemctl", "stop", _PODS.name])
    if mounted := mounts():
        command(["umount", "--lazy", *mounted])
    for path in _NETWORKS.glob("cni-*"):
        path.unlink()
    with suppress(OSError):  # there is none, or it has somebody else's
        _NETWORKS.rmdir()


def mounts() -> list[str]:
    """What is mounted for Pods, the innermost first."""
    lines = (read(Path("/proc/self/mountinfo")) or "").splitlines()
    paths = [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]) for line in lines]
    return sorted((path for path in paths if path.startswith(_MOUNTS)), reverse=True)


def _populated(cgroup: Path) -> bool:
    return "populated 1" in _told(cgroup / "cgroup.events")


def _signal(cgroup: Path, number: signal.Signals) -> None:
    for directory, _below, _files in os.walk(cgroup):
        for pid in _told(Path(directory, "cgroup.procs")).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)


def _told(path: Path) -> str:
    """What a group of processes tells of itself; nothing when it is gone, as it may be at any moment."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _kill(cgroup: Path) -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    while _populated(cgroup) and time.monotonic() < deadline:
        _signal(cgroup, signal.SIGKILL)
        time.sleep(0.2)
