# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Whether a lab can work on a machine: the machine as it was seen, compared with what a cluster needs, and versions
compared with the table of those that do not work together. Pure: nothing here looks at the machine.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}
_TERM = re.compile(r"(>=|<=|>|<|==)\s*v?(\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class Machine:
    """A machine as it was seen. Sizes in MiB; `disk` is what is free where the lab keeps its things, by path."""

    architecture: str
    kernel: str
    cgroups: str
    """v1 or v2."""
    init: str
    """Name of process 1, such as systemd."""
    memory: int
    disk: Mapping[str, int] = field(default_factory=dict)
    absent_modules: Sequence[str] = ()
    """Those looked for that are neither in the kernel nor to be loaded."""
    listening: Sequence[int] = ()


@dataclass(frozen=True)
class Needs:
    """What a cluster needs of its machine; see roles/preflight/vars/main.yml."""

    architectures: Sequence[str] = ()
    kernel: str = ""
    init: str = ""
    memory: int = 0
    disk: int = 0
    modules: Sequence[str] = ()
    ports: Sequence[int] = ()
    installed: str | None = None
    """Path that is there once the cluster is installed: then it has its room and its ports already."""


@dataclass(frozen=True)
class Incompatible:
    """A row of the table: versions that do not work together, by axis: a range such as ">=1.22, <1.30", or a name."""

    name: str
    when: Mapping[str, str]
    reason: str
    remedy: str
    source: str = ""


@dataclass(frozen=True)
class Finding:
    """Something that stands in the way of a lab."""

    name: str
    seen: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.seen}. {self.remedy}."


def findings(machine: Machine, needs: Needs, cluster: str, *, is_new: bool) -> list[Finding]:
    """What keeps a cluster from working on a machine.

    Room is asked for only by a lab that is new: an existing one has taken its own already.
    """
    found = [*_kind_of_machine(machine, needs, cluster)]
    return [*found, *_room(machine, needs, cluster)] if is_new else found


def incompatibilities(versions: Mapping[str, str], table: Iterable[Incompatible]) -> list[Finding]:
    """The rows of the table that are true of these versions; a row about a version that is not known is not."""
    return [
        Finding(row.name, f"{_named(versions, row.when)}: {row.reason}", row.remedy + _see(row.source))
        for row in table
        if all(_is(versions.get(axis, ""), wanted) for axis, wanted in row.when.items())
    ]


def within(version: str, wanted: str) -> bool:
    """Whether a version is in a range such as ">=1.22, <1.30"; what follows the numbers does not count.

    Raises ValueError for a range that is none.
    """
    numbers = _numbers(version)
    return all(_COMPARISONS[sign](*_same_length(numbers, _numbers(bound))) for sign, bound in _terms(wanted))


def _kind_of_machine(machine: Machine, needs: Needs, cluster: str) -> Iterator[Finding]:
    if needs.architectures and machine.architecture not in needs.architectures:
        known = " or ".join(needs.architectures)
        yield Finding(
            "architecture", f"this machine is {machine.architecture}", f"A cluster of {cluster} needs {known}"
        )
    if needs.kernel and not within(machine.kernel, needs.kernel):
        yield Finding("kernel", f"Linux {machine.kernel} runs", f"A cluster of {cluster} needs Linux {needs.kernel}")
    if needs.init and machine.init != needs.init:
        yield Finding(
            "init",
            f"process 1 is {machine.init}",
            f"A cluster of {cluster} needs {needs.init}: use a whole machine, not a container, "
            "or choose another lab_cluster",
        )
    missing = [name for name in machine.absent_modules if name in needs.modules]
    if missing:
        yield Finding(
            "modules",
            f"the kernel {machine.kernel} has no {', '.join(missing)}",
            "Install the modules of the running kernel (Ubuntu: linux-modules-extra-$(uname -r)), "
            "or boot a kernel that has them",
        )


def _room(machine: Machine, needs: Needs, cluster: str) -> Iterator[Finding]:
    if machine.memory < needs.memory:
        yield Finding(
            "memory",
            f"{machine.memory} MiB of memory are available",
            f"A cluster of {cluster} needs {needs.memory}: end other programs or use a larger machine",
        )
    for path, free in machine.disk.items():
        if free < needs.disk:
            yield Finding(
                "disk", f"{free} MiB are free at {path}", f"A cluster of {cluster} needs {needs.disk}: make room there"
            )
    taken = sorted(set(needs.ports) & set(machine.listening))
    if taken:
        ports = ", ".join(map(str, taken))
        yield Finding(
            "ports",
            f"somebody listens on {ports}",
            f"A cluster of {cluster} needs these ports (ss -ltnp tells who has them): end that program",
        )


def _is(version: str, wanted: str) -> bool:
    if not version:
        return False
    return within(version, wanted) if _TERM.search(wanted) else version == wanted


def _terms(wanted: str) -> list[tuple[str, str]]:
    terms = [_TERM.fullmatch(part.strip()) for part in wanted.split(",")]
    if None in terms:
        raise ValueError(f'"{wanted}" is no range of versions such as ">=1.22, <1.30"')
    return [(term[1], term[2]) for term in terms if term]


def _numbers(version: str) -> list[int]:
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return [int(part) for part in match[1].split(".")] if match else []


def _same_length(left: list[int], right: list[int]) -> tuple[list[int], list[int]]:
    length = max(len(left), len(right))
    return left + [0] * (length - len(left)), right + [0] * (length - len(right))


def _named(versions: Mapping[str, str], axes: Iterable[str]) -> str:
    return " with ".join(f"{axis} {versions[axis]}" for axis in axes)


def _see(source: str) -> str:
    return f" (see {source})" if source else ""
