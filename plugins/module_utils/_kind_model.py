# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a Kind cluster is, how a wanted and a found one differ, and what has to be done about it. Pure.

`decide` names one step:

keep      the cluster is as wanted and runs
start     it is as wanted, but nodes of it are stopped, as after a reboot
create    there is none
replace   there is one that an interrupted run left half made, or one that differs and may be made anew

and raises LabError where making it anew was not asked for, with all that differs. Kind changes nothing about a cluster
that exists. What the cluster was made with is recorded in its first node once it is complete, so a half-made one has
no record; nodes, their images and mounts and the networks are compared as they really are, too.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

CONTROL_PLANE = "control-plane"


@dataclass(frozen=True)
class Mount:
    """A directory of the machine in a node."""

    source: str
    target: str
    read_only: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.target}{':ro' if self.read_only else ''}"


@dataclass(frozen=True)
class Node:
    """A node: a container of the engine. `image` is empty where any will do."""

    name: str
    image: str
    mounts: frozenset[Mount]
    running: bool = True


@dataclass(frozen=True)
class Wanted:
    """A cluster to be: its name, kind's configuration without name and version, and the image of its nodes."""

    name: str
    config: Mapping[str, Any]
    image: str

    @property
    def nodes(self) -> list[Node]:
        """The nodes, called as kind calls them: NAME-worker, NAME-worker2, ..."""
        seen: Counter[str] = Counter()
        nodes = []
        for given in self.config.get("nodes") or [{"role": CONTROL_PLANE}]:
            role = given.get("role", CONTROL_PLANE)
            seen[role] += 1
            number = "" if seen[role] == 1 else str(seen[role])
            image = image_name(str(self.image or given.get("image", "")))
            nodes.append(Node(f"{self.name}-{role}{number}", image, _mounts(given)))
        return nodes

    @property
    def record(self) -> dict[str, Any]:
        """What is noted in the first node of the complete cluster."""
        return {"config": json.loads(json.dumps(self.config)), "image": self.image}


@dataclass(frozen=True)
class Found:
    """A cluster that is there: its nodes, what was noted when it was complete, kubeadm's networking, its version."""

    nodes: Sequence[Node] = ()
    record: Mapping[str, Any] | None = None
    networking: Mapping[str, str] | None = None
    version: str = ""


@dataclass(frozen=True)
class Difference:
    """One thing that differs: what, as it is, as it is wanted."""

    what: str
    found: Any
    wanted: Any

    def __str__(self) -> str:
        return f"{self.what} is {_said(self.found)} and should be {_said(self.wanted)}"


@dataclass(frozen=True)
class Plan:
    """The step to take, and what differs."""

    step: str
    differences: Sequence[Difference] = ()


def decide(wanted: Wanted, found: Found, *, recreate: bool) -> Plan:
    """The plan for a cluster; raises LabError when only making it anew would help and that was not asked for."""
    if not found.nodes:
        return Plan("create")
    differing = differences(wanted, found)
    if found.record is None and _is_part_of(found.nodes, wanted.nodes):
        return Plan("replace", [Difference("the cluster", "half made", "complete")])
    if differing and not recreate:
        raise LabError(
            attempted=f"Have the Kind cluster {wanted.name} as given",
            seen="; ".join(map(str, differing)),
            cause="Kind cannot change a cluster that exists",
            remedy="Say yes to a new one, which loses all that runs in it: -e kind_host_recreate=true (the option "
            "recreate of the module), or give the variables that it was made with",
        )
    if differing:
        return Plan("replace", differing)
    stopped = [node for node in found.nodes if not node.running]
    return Plan("start" if stopped else "keep", [Difference(node.name, "stopped", "running") for node in stopped])


def differences(wanted: Wanted, found: Found) -> list[Difference]:
    """All that differs between a cluster that is there and the wanted one."""
    if found.record is None:
        return [Difference("the cluster", "one that this collection did not complete", "one of its own")]
    recorded = dict(_flat(found.record))
    given = dict(_flat(wanted.record))
    noted = [
        Difference(path, recorded.get(path), given.get(path))
        for path in sorted(recorded.keys() | given.keys())
        if recorded.get(path) != given.get(path)
    ]
    return [*noted, *_real_nodes(wanted.nodes, found.nodes), *_real_networking(wanted, found)]


def image_name(name: str) -> str:
    """An image's name as the engines say it: without the default registry, and with either a digest or a tag."""
    name = name.removeprefix("docker.io/").removeprefix("library/")
    tagged, _at, digest = name.partition("@")
    if not digest:
        return name
    path, _slash, last = tagged.rpartition("/")
    return f"{path}/{last.partition(':')[0]}@{digest}".lstrip("/")


def _real_nodes(wanted: Sequence[Node], found: Sequence[Node]) -> Iterator[Difference]:
    there = {node.name: node for node in found}
    if sorted(there) != sorted(node.name for node in wanted):
        yield Difference("the set of nodes", sorted(there), sorted(node.name for node in wanted))
    for node in wanted:
        real = there.get(node.name, node)
        if node.image not in ("", real.image):
            yield Difference(f"the image of {node.name}", real.image, node.image)
        if real.mounts != node.mounts:
            mounts = [sorted(map(str, one.mounts)) for one in (real, node)]
            yield Difference(f"what is mounted into {node.name}", *mounts)


def _real_networking(wanted: Wanted, found: Found) -> Iterator[Difference]:
    given = wanted.config.get("networking") or {}
    for name, real in (found.networking or {}).items():
        if given.get(name, real) != real:
            yield Difference(f"the cluster's {name}", real, given[name])


def _is_part_of(found: Sequence[Node], wanted: Sequence[Node]) -> bool:
    by_name = {node.name: node for node in wanted}
    return all(node.name in by_name and not list(_real_nodes([by_name[node.name]], [node])) for node in found)


def _mounts(given: Mapping[str, Any]) -> frozenset[Mount]:
    return frozenset(
        Mount(str(one["hostPath"]), str(one["containerPath"]), bool(one.get("readOnly", False)))
        for one in given.get("extraMounts") or []
    )


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{index}]")
    else:
        yield path, value


def _said(value: Any) -> str:
    return "not there" if value is None else value if isinstance(value, str) else json.dumps(value)
