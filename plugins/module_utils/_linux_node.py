# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A machine is a node of a lab, or is as it was before. Decides first what lacks (`_Lack`), then acts.

A kubelet and a containerd that somebody else has on the machine are not touched: such a machine is refused.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node_host as host
from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node_image as image
from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node_model as model
from ansible_collections.edgelab.akri.plugins.module_utils._host import (
    HostError,
    command,
    difference,
    differing,
    read,
    write,
)
from ansible_collections.edgelab.akri.plugins.module_utils._linux_node_api import wait_ready

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_RESOLVED = Path("/run/systemd/resolve/resolv.conf")


def look(lab: str, server: str, ca: str) -> dict[str, Any]:
    """What keeps this machine from being a node of the lab, how it is reached, and how far it has come."""
    joined = not _other_cluster(server, ca) and model.IDENTITY.exists()
    return {
        "changed": False,
        "obstacle": _obstacle(lab),
        "architecture": ARCHITECTURES.get(os.uname().machine, ""),
        "address": _address_towards(server),
        "joined": joined,
        "serving": joined and model.SERVING.exists(),
        "programs": {path.name: _digest(path) for path in sorted(model.PROGRAMS.glob("*"))},
    }


def node(given: Mapping[str, Any]) -> model.Node:
    """The node that a module's options describe."""
    registry = {key: value or "" for key, value in given["registry"].items()}
    resolv_conf = (
        str(_RESOLVED) if _RESOLVED.exists() else "/etc/resolv.conf"
    )  # resolved's own is for this machine alone
    own = {key: given[key] or "" for key in ("name", "lab", "address", "pod_range", "server", "ca", "bootstrap")}
    pause = given["pause_image"] or model.PAUSE
    return model.Node(**own, registry=model.Registry(**registry), pause_image=pause, resolv_conf=resolv_conf)


@dataclass(frozen=True)
class _Lack:
    """What a machine lacks of being the node."""

    record: host.Record | None
    packages: list[str]
    rejoin: bool
    files: dict[str, dict[Path, str | None]]
    at_use: dict[Path, str | None]
    secrets: dict[Path, str | None]
    services: list[str]
    image: bool

    @property
    def anything(self) -> bool:
        """Whether there is something to do."""
        return bool(
            not self.record
            or self.packages
            or self.changes
            or self.secrets
            or self.services
            or self.image
            or self.rejoin
        )

    @property
    def changes(self) -> dict[Path, str | None]:
        """All files that are to be written, but the secret ones."""
        return {path: text for group in [*self.files.values(), self.at_use] for path, text in group.items()}

    @property
    def restarts(self) -> list[str]:
        """Services that are to be started, again or at all. The kubelet reads the bootstrap file when it starts."""
        changed = {service for service, group in self.files.items() if group}
        changed |= {"kubelet"} if self.rejoin or model.BOOTSTRAP in self.secrets else set()
        return [service for service in model.SERVICES if service in changed or service in self.services]


def present(wanted: model.Node, *, seconds: float, dry_run: bool) -> dict[str, Any]:
    """Make the machine the node, and wait until the node is Ready."""
    if obstacle := _obstacle(wanted.lab):
        raise HostError(obstacle)
    lack = _lack(wanted)
    told = [{"before": "", "after": f"{path} is written anew\n"} for path in lack.secrets]
    result = {"changed": lack.anything, "diff": [*difference(lack.changes), *told]}
    if not dry_run:
        if lack.anything:
            _provide(wanted, lack)
        wait_ready(wanted, seconds)
    return result


def absent(*, dry_run: bool) -> dict[str, Any]:
    """Give the machine back as it was. Asks nobody but the machine itself."""
    record = host.recorded()
    there = bool(record) or model.PROGRAMS.exists()
    if not dry_run:
        if record:
            _end()
            host.undo(record)
        elif there:  # nothing but its programs has come
            shutil.rmtree(model.PROGRAMS)
    return {"changed": there, "diff": {"before": "a node of the lab\n" if there else "", "after": ""}}


def _end() -> None:
    """Services, Pods and rules away."""
    if ours := [service for service in reversed(model.SERVICES) if _unit(service)]:
        command(["systemctl", "disable", "--now", *ours])
    host.end_pods()
    for family, table in (("ip", "edgelab-pods"), ("ip", "kube-proxy"), ("ip6", "kube-proxy")):
        if shutil.which("nft"):
            command(["nft", "delete", "table", family, table], codes=(0, 1))
    write(dict.fromkeys(_units()))
    command(["systemctl", "daemon-reload"])


def _lack(wanted: model.Node) -> _Lack:
    down = [service for service in model.SERVICES if not _runs(service)]
    return _Lack(
        record=host.recorded(),
        packages=sorted(set(model.PACKAGES) - host.installed()),
        rejoin=model.KUBECONFIG.exists() and _other_cluster(wanted.server, wanted.ca),
        files={service: differing(group) for service, group in model.files(wanted).items()},
        at_use=differing(model.read_at_use(wanted.registry)),
        secrets=differing(model.secrets(wanted)),
        services=down,
        image=wanted.makes_pause and ("containerd" in down or not image.has(wanted.pause_image)),
    )


def _provide(wanted: model.Node, lack: _Lack) -> None:
    record = lack.record or host.begin(wanted.lab)
    if lack.packages:
        host.install(record, lack.packages)
    if lack.rejoin:
        _forget_cluster()
    write(lack.secrets, mode=0o600)
    write(lack.changes)
    command(["systemctl", "daemon-reload"])
    command(["systemctl", "enable", *model.SERVICES])
    if "containerd" in lack.restarts:
        command(["systemctl", "restart", "containerd"])
    if wanted.makes_pause and not image.has(wanted.pause_image):
        image.make(wanted.pause_image, ARCHITECTURES[os.uname().machine], model.ROOT)
    if later := [service for service in lack.restarts if service != "containerd"]:
        command(["systemctl", "restart", *later])


def _forget_cluster() -> None:
    """The identity is of a lab that is gone: the kubelet has to ask for another."""
    command(["systemctl", "stop", "kubelet"])
    model.KUBECONFIG.unlink(missing_ok=True)
    shutil.rmtree(model.IDENTITY.parent, ignore_errors=True)


def _obstacle(lab: str) -> str:
    record = host.recorded()
    if record:
        other = f"This machine is a node of the lab {record.lab}. Take it out of that lab first."
        return "" if record.lab == lab else other
    if os.uname().machine not in ARCHITECTURES:
        return (
            f"There is no kubelet for the architecture {os.uname().machine}; choose a machine with x86_64 or aarch64."
        )
    if not shutil.which("apt-get") or not Path("/run/systemd/system").exists():
        return "A node of the lab needs a machine with Debian or Ubuntu that systemd has started."
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return "This machine has control groups of version 1, which kubelets no longer support. Boot it without them."
    return _occupied()


def _occupied() -> str:
    found = [program for program in ("containerd", "kubelet", "k3s", "snap.microk8s") if shutil.which(program)]
    if _filled(model.KUBELET_ROOT):
        found.append(str(model.KUBELET_ROOT))
    if not found:
        return ""
    return (
        f"This machine has {', '.join(found)} already, which may be somebody's. Nothing was changed. Choose a machine "
        "without containers of its own, or remove that."
    )


def _filled(directory: Path) -> bool:
    return directory.is_dir() and any(directory.iterdir())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _other_cluster(server: str, ca: str) -> bool:
    """Whether what the kubelet knows is not the API server at this address with this authority."""
    return f"server: {server}\n" not in (read(model.KUBECONFIG) or "") or read(model.CA) != ca


def _address_towards(server: str) -> str:
    """The address of this machine that packets to the API server come from; empty when there is no way to it."""
    host_and_port = server.removeprefix("https://").rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect((host_and_port[0], int(host_and_port[1])))
        address: str = probe.getsockname()[0]
        return address
    return ""


def _units() -> list[Path]:
    return [Path(f"/etc/systemd/system/{service}.service") for service in ("kubelet", "kube-proxy")]


def _unit(service: str) -> bool:
    return bool(command(["systemctl", "list-unit-files", "--no-legend", f"{service}.service"], codes=(0, 1)).strip())


def _runs(service: str) -> bool:
    """Whether a service runs now and after each boot."""
    said = command(["systemctl", "show", "--property=ActiveState,UnitFileState", f"{service}.service"])
    return "ActiveState=active" in said and "UnitFileState=enabled" in said
