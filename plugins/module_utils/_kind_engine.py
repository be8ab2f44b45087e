# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Docker or Podman, as Kind uses them: which one answers, what it says about itself, and the nodes it runs.

Programs are called with argument lists and answer in JSON. Raises LabError when one fails.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._kind_model import Found, Mount, Node, image_name

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    import yaml
    from edgelab.core.errors import LabError

ENGINES = ("docker", "podman")
NO_ENGINE = "none"
NETWORK = "kind"
RECORD = "edgelab.json"
_DIRECTORY = "/kind"
_CLUSTER_LABEL = "io.x-k8s.kind.cluster"
_ROLE_LABEL = "io.x-k8s.kind.role"
# What kind itself mounts into every node, or may.
_OWN_MOUNTS = ("/lib/modules", "/dev/mapper")


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    status: int
    output: bytes
    error: str

    @property
    def text(self) -> str:
        """What it printed."""
        return self.output.decode(errors="replace")


Run = Callable[..., Done]


def run(
    command: Sequence[str], *, stdin: bytes = b"", seconds: float = 60, extra: Mapping[str, str] | None = None
) -> Done:
    """Run a program; one that is not there ends with 127, as in a shell, and one that takes too long with 124."""
    environment = {**os.environ, **(extra or {})}
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=seconds, env=environment, check=False)
    except FileNotFoundError as error:
        return Done(127, b"", str(error))
    except subprocess.TimeoutExpired as error:
        return Done(124, error.stdout or b"", f"no end after {seconds:.0f} s")
    return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def choose(wanted: str, *, needed: bool = True, run: Run = run) -> tuple[str, dict[str, Any]]:
    """The engine to use and what it says about itself; `auto` takes the first that answers.

    Raises LabError if none does, unless it is not needed: where no engine is, there is nothing to take away.
    """
    silent = []
    for name in ENGINES if wanted == "auto" else (wanted,):
        done = run([name, "info", "--format", "{{json .}}" if name == "docker" else "json"])
        answer = _loads(done.text)
        # Without a server, the docker client answers with what it knows itself, and errors.
        if done.status == 0 and answer and not answer.get("ServerErrors"):
            return name, answer
        said = done.error.strip().splitlines() or answer.get("ServerErrors") or ["no answer"]
        silent.append(f"{name}: {'not installed' if done.status == 127 else said[-1]}")
    if not needed:
        return NO_ENGINE, {}
    raise LabError(
        attempted="Find a container engine for Kind",
        seen="; ".join(silent),
        remedy="Install Docker (and be in its group) or Podman (as root), start it, and see that `docker info` or "
        "`podman info` answers",
    )


@dataclass(frozen=True)
class Engine:
    """One engine and what Kind keeps in it."""

    name: str
    run: Run = field(default=run)

    def cluster(self, name: str) -> Found:
        """The cluster of a name; one without nodes is not there."""
        if self.name == NO_ENGINE:
            return Found()
        listed = self._ask(
            "ps", "--all", "--filter", f"label={_CLUSTER_LABEL}={name}", "--format", "{{.Names}}"
        ).split()
        if not listed:
            return Found()
        containers = json.loads(self._ask("inspect", "--type", "container", *listed))
        nodes = [_node(body) for body in containers if _role(body) != "external-load-balancer"]
        first = self.first(node.name for node in nodes)
        files = self._kind_files(first)
        record = _loads(files.get(RECORD, "")) or None
        return Found(nodes, record, _networking(files.get("kubeadm.conf", "")), files.get("version", "").strip())

    @staticmethod
    def first(names: Iterable[str]) -> str:
        """The node that tells about the cluster: its first control plane."""
        ordered: list[str] = sorted(names, key=lambda name: ("-control-plane" not in name, len(name), name))
        return ordered[0]

    def note(self, node: str, record: Mapping[str, Any]) -> None:
        """Note in a node what its cluster was made with."""
        content = json.dumps(record).encode()
        entry = tarfile.TarInfo(RECORD)
        entry.size = len(content)
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.addfile(entry, io.BytesIO(content))
        self._ask("cp", "-", f"{node}:{_DIRECTORY}", stdin=stream.getvalue())

    def start(self, nodes: Sequence[str]) -> None:
        """Start nodes that were stopped."""
        self._ask("start", *nodes)

    def execute(self, node: str, *words: str) -> Done:
        """Run a program in a node."""
        return self.run([self.name, "exec", node, *words])

    def network(self) -> tuple[str, str]:
        """The id and the IPv4 gateway of the network that Kind's nodes are in; empty when there is none."""
        done = self.run([self.name, "network", "inspect", NETWORK])
        networks = json.loads(done.text) if done.status == 0 else []
        return _network(networks[0]) if networks else ("", "")

    def remove_network(self) -> None:
        """Remove that network; one that is in use stays."""
        self.run([self.name, "network", "rm", NETWORK])

    def remove_volumes(self, cluster: str) -> list[str]:
        """Remove what an interrupted creation left: Kind makes Podman's volumes, labelled by node, before the nodes."""
        if self.name != "podman":
            return []
        volumes = _loads(self._ask("volume", "ls", "--format", "json")) or []
        label = re.compile(rf"{re.escape(cluster)}-(control-plane|worker)\d*")
        ours = [body["Name"] for body in volumes if any(map(label.fullmatch, body.get("Labels") or {}))]
        if ours:
            self._ask("volume", "rm", *ours)
        return ours

    def _kind_files(self, node: str) -> dict[str, str]:
        """What kind keeps in a node, running or not: name → content; empty when there is nothing yet."""
        done = self.run([self.name, "cp", f"{node}:{_DIRECTORY}", "-"])
        if done.status:
            return {}
        with tarfile.open(fileobj=io.BytesIO(done.output)) as archive:
            return {
                PurePosixPath(member.name).name: archive.extractfile(member).read().decode()  # type: ignore[union-attr]
                for member in archive
                if member.isfile()
            }

    def _ask(self, *words: str, stdin: bytes = b"") -> str:
        done = self.run([self.name, *words], stdin=stdin)
        if done.status:
            raise LabError(attempted=f"Run {self.name} {' '.join(words)}", seen=done.error.strip() or done.text.strip())
        return done.text


def _role(body: Mapping[str, Any]) -> str:
    return str((body["Config"].get("Labels") or {}).get(_ROLE_LABEL, ""))


def _node(body: Mapping[str, Any]) -> Node:
    mounts = frozenset(
        Mount(one["Source"], one["Destination"], not one["RW"])
        for one in body.get("Mounts") or []
        if one["Type"] == "bind" and one["Destination"] not in _OWN_MOUNTS
    )
    image = str(body.get("ImageName") or body["Config"]["Image"])
    return Node(str(body["Name"]).lstrip("/"), image_name(image), mounts, bool(body["State"]["Running"]))


def _network(body: Mapping[str, Any]) -> tuple[str, str]:
    """Docker and Podman tell the same in different words."""
    ipam = body.get("subnets") or (body.get("IPAM") or {}).get("Config") or []
    gateways = [str(one.get("gateway") or one.get("Gateway") or "") for one in ipam]
    return str(body.get("id") or body.get("Id")), next((one for one in gateways if "." in one), "")


def _networking(kubeadm: str) -> dict[str, str]:
    documents = [one for one in yaml.safe_load_all(kubeadm) if one]
    found: dict[str, Any] = next(
        (one["networking"] for one in documents if one.get("kind") == "ClusterConfiguration"), {}
    )
    return {name: str(found[name]) for name in ("podSubnet", "serviceSubnet") if name in found}


def _loads(text: str) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return {}
