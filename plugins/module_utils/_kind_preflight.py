# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Whether Kind can make a cluster with this engine on this machine, before anything is changed.

`check` is pure: it takes what the engine and the machine say about themselves and raises LabError with every obstacle
and its remedy. What is no obstacle yet but soon may be one is returned as words.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

_GIB = 1 << 30
_MEMORY_FIRST = 1.0 * _GIB
_MEMORY_MORE = 0.5 * _GIB
_DISK = 3 * _GIB
# Measured: what systemd, containerd, kubelet and kube-proxy of one node open.
_INOTIFY_A_NODE = 30
_INOTIFY_GOOD = 512


@dataclass(frozen=True)
class Machine:
    """What matters of a machine: bytes, inotify instances of one user, and ports that are taken."""

    memory: int
    disk: int
    inotify_limit: int
    inotify_used: int
    engine_host: str
    taken_ports: Sequence[int] = field(default=())


def look(engine: str, info: Mapping[str, Any], config: Mapping[str, Any]) -> Machine:
    """See what this machine has."""
    store = info.get("DockerRootDir") or (info.get("store") or {}).get("graphRoot") or "/"
    return Machine(
        memory=_available_memory(),
        disk=_free_disk(Path(str(store))),
        inotify_limit=int(Path("/proc/sys/fs/inotify/max_user_instances").read_text()),
        inotify_used=_inotify_instances(),
        engine_host=os.environ.get("DOCKER_HOST" if engine == "docker" else "CONTAINER_HOST", ""),
        taken_ports=[port for address, port in wanted_ports(config) if _is_taken(address, port)],
    )


def check(engine: str, info: Mapping[str, Any], config: Mapping[str, Any], machine: Machine) -> list[str]:
    """Warnings for a cluster with this configuration; raises LabError with all that stands in its way."""
    obstacles = [*_engine(engine, info, machine), *_control_groups(engine, info, config), *_room(config, machine)]
    if obstacles:
        raise LabError(
            attempted=f"See whether Kind can make a cluster here with {engine}",
            seen=" ".join(f"({number}) {said}." for number, said in enumerate(obstacles, 1)),
            cause="Nothing was changed",
        )
    if machine.inotify_limit < _INOTIFY_GOOD:
        return [_inotify_warning(machine)]
    return []


def wanted_ports(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Addresses and ports of the machine that a configuration asks for; those that kind chooses are not among them."""
    networking = config.get("networking") or {}
    yield str(networking.get("apiServerAddress", "127.0.0.1")), int(networking.get("apiServerPort", 0))
    for node in config.get("nodes") or []:
        for mapping in node.get("extraPortMappings") or []:
            yield str(mapping.get("listenAddress", "0.0.0.0")), int(mapping.get("hostPort", 0))  # noqa: S104


def _inotify_warning(machine: Machine) -> str:
    return (
        f'fs.inotify.max_user_instances is {machine.inotify_limit}; programs in Pods may say "too many open files". '
        f"More: sysctl fs.inotify.max_user_instances={_INOTIFY_GOOD}"
    )


def _engine(engine: str, info: Mapping[str, Any], machine: Machine) -> Iterator[str]:
    host = info.get("host") or {}
    rootless = (host.get("security") or {}).get("rootless", False)
    if rootless or any("rootless" in one for one in info.get("SecurityOptions") or []):
        yield (
            f"{engine} is rootless: what runs in its containers cannot reach the Wasm node on this machine. Use "
            "Docker's system service (sudo usermod -aG docker $USER), or run the playbook as root with Podman"
        )
    if "Docker Desktop" in str(info.get("OperatingSystem", "")):
        yield (
            "Docker Desktop runs containers in a virtual machine, from which the Wasm node on this machine cannot be "
            "reached. Use Docker Engine: docker context use default, after installing it"
        )
    if host.get("serviceIsRemote") or machine.engine_host.partition("://")[0] in ("tcp", "ssh", "http", "https"):
        yield (
            f"{engine} works on another machine ({machine.engine_host or 'a remote service'}), which has none of the "
            "lab's directories. Run the playbook on that one: lab_host"
        )


def _control_groups(engine: str, info: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    version = str(info.get("CgroupVersion") or (info.get("host") or {}).get("cgroupVersion") or "2")
    if version.lstrip("v") == "1" and "failCgroupV1: false" not in json.dumps(config):
        yield (
            f"{engine} says that this machine has control groups of version 1, with which kubelets since 1.35 do not "
            "start. Boot with systemd.unified_cgroup_hierarchy=1, or let them: kind_host_config={kubeadmConfigPatches: "
            "['kind: KubeletConfiguration\\nfailCgroupV1: false']}"
        )


def _room(config: Mapping[str, Any], machine: Machine) -> Iterator[str]:
    nodes = max(1, len(config.get("nodes") or []))
    memory = _MEMORY_FIRST + (nodes - 1) * _MEMORY_MORE
    if machine.memory < memory:
        yield f"{_said(machine.memory)} of memory are free; {nodes} node(s) need {_said(memory)}. End something"
    if machine.disk < _DISK:
        yield f"{_said(machine.disk)} are free where the engine keeps images; {_said(_DISK)} are needed. Free some"
    free = machine.inotify_limit - machine.inotify_used
    if free < nodes * _INOTIFY_A_NODE:
        yield (
            f"{free} of {machine.inotify_limit} inotify instances are left for root; {nodes} node(s) need "
            f"{nodes * _INOTIFY_A_NODE}. Allow more: sysctl fs.inotify.max_user_instances={_INOTIFY_GOOD}"
        )
    for port in machine.taken_ports:
        yield f"Port {port}, which the configuration asks for, is taken. Free it or give another"


def _available_memory() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def _free_disk(path: Path) -> int:
    existing = next(one for one in (path, *path.parents) if one.exists())
    found = os.statvfs(existing)
    return found.f_bavail * found.f_frsize


def _inotify_instances() -> int:
    """How many root has open, as far as we may look; the kernel counts by user, and nodes run as root."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == 0:
                count += sum(str(link.readlink()) == "anon_inode:inotify" for link in (process / "fd").iterdir())
    return count


def _is_taken(address: str, port: int) -> bool:
    if port <= 0:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def _said(size: float) -> str:
    return f"{size / _GIB:.1f} GiB"
