# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The directories of a lab: are they ours, what is missing, and how they go away."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write, write_whole
from ansible_collections.edgelab.akri.plugins.module_utils._lab_end import end
from ansible_collections.edgelab.akri.plugins.module_utils._lab_lock import Caller, alone, check, take
from ansible_collections.edgelab.akri.plugins.module_utils._lab_ports import choose, is_free

try:
    from edgelab.core.errors import LabError
    from edgelab.core.layout import Layout
    from edgelab.lab import residue
except ImportError:
    pass  # the module that uses this says that the runtime is missing

FORMAT = 1
PRIVATE = 0o700


@dataclass(frozen=True)
class Plan:
    """What a lab needs: directories to make or to close to others, and the marker's content if it changes."""

    directories: tuple[Path, ...]
    marker: dict[str, Any] | None
    is_new: bool
    ports: dict[str, int]

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.directories or self.marker)


def present(place: Layout, forced: Mapping[str, int], mine: Caller, *, dry_run: bool) -> dict[str, Any]:
    """Make the lab's directories, take its lock, choose its ports; returns the module's result."""
    check_ours(place)
    if dry_run or not place.state.exists():
        check(place.lock, place.lab, mine)
    plan = look(place, forced)
    if not dry_run:
        _make(place.state)
        with alone(place.state):
            check_ours(place)
            check(place.lock, place.lab, mine)
            take(place.lock, mine.holder)
            plan = look(place, forced) if not plan.is_new else plan
            _apply(place, plan)
    return {
        "changed": plan.changes,
        "diff": _difference(place, plan),
        "paths": paths(place),
        "ports": plan.ports,
        "is_new": plan.is_new,
        "user": {"name": user_name(os.getuid()), "uid": os.getuid()},
    }


def look(place: Layout, forced: Mapping[str, int], free: Callable[[int], bool] = is_free) -> Plan:
    """Compare what a lab needs with what there is."""
    marker = _read_marker(place)
    taken = _ports_of_others(place)
    kept = marker.get("ports", {})
    ports = choose(place.state, kept, forced, lambda port: port not in taken and free(port))
    wanted = {"format": FORMAT, "lab": place.lab, "ports": ports}
    return Plan(
        directories=tuple(path for path in _directories(place) if not _is_private(path)),
        marker=wanted if wanted != marker else None,
        is_new=not marker,
        ports=ports,
    )


def paths(place: Layout) -> dict[str, str]:
    """The paths that other roles use, by name."""
    return {
        "state": str(place.state),
        "run": str(place.run),
        "cache": str(place.cache),
        "kubeconfig": str(place.kubeconfig),
        "pki": str(place.pki),
        "kubeconfigs": str(place.state / "kubeconfigs"),
        "handlers": str(place.handlers),
        "logs": str(place.logs),
    }


def absent(place: Layout, mine: Caller, *, end_processes: bool, dry_run: bool) -> dict[str, Any]:
    """Remove the state and run directories; returns the module's result.

    Ends the lab's processes first, or refuses while one runs.
    """
    check_ours(place)
    check(place.lock, place.lab, mine)
    if not dry_run:  # in check mode the cluster is still there when the lab's turn comes
        _check_no_cluster(place)
    roots = [root for root in (place.run, place.state) if root.exists()]
    if end_processes and not dry_run:
        end(roots)
    if not (end_processes and dry_run):
        _check_unused(place, roots)
    if not dry_run:
        for root in roots:
            _remove(root, last=place.marker)
        with contextlib.suppress(OSError):  # other labs are in it
            place.state.parent.rmdir()
    before = "".join(f"{root}\n" for root in roots)
    return {"changed": bool(roots), "diff": {"before": before, "after": ""}, "paths": paths(place)}


def _check_no_cluster(place: Layout) -> None:
    nodes = place.state / "kind"
    if nodes.exists():
        raise LabError(
            attempted=f"Remove the lab {place.lab}",
            seen=f"It has a Kind cluster, which uses {nodes} and would be left behind",
            remedy=f"Take both away: make down PROVIDER=kind LAB={place.lab}",
        )


def check_ours(place: Layout) -> None:
    """Raise LabError if a directory exists that this lab may not touch."""
    for directory in (place.state, place.run):
        foreign = _foreign(directory)
        if foreign:
            raise LabError(
                attempted=f"Use {directory} for the lab {place.lab}",
                seen=f"{foreign}. It is left as it is",
                remedy="Move it away, or choose another lab name or XDG_STATE_HOME",
            )
    if place.state.exists() and not _read_marker(place) and any(map(_is_strange, place.state.iterdir())):
        raise LabError(
            attempted=f"Use {place.state} for the lab {place.lab}",
            seen=f"It holds files, but no {place.marker.name} that would make it ours. It is left as it is",
            remedy="Move them away, or choose another lab name or XDG_STATE_HOME",
        )


def _is_strange(path: Path) -> bool:
    # Before the marker comes the lock; either may be half written by another playbook at this moment.
    return not path.name.lstrip(".").startswith(("lock", "lab.json"))


def _foreign(directory: Path) -> str:
    try:
        status = directory.lstat()
    except FileNotFoundError:
        return ""
    if not stat.S_ISDIR(status.st_mode):
        return "It is a symbolic link" if stat.S_ISLNK(status.st_mode) else "It is not a directory"
    owner = user_name(status.st_uid)
    return "" if status.st_uid == os.getuid() else f"It belongs to {owner}, and this runs as {user_name(os.getuid())}"


def user_name(uid: int) -> str:
    """The name of a user, or the number of one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _read_marker(place: Layout) -> dict[str, Any]:
    try:
        marker = json.loads(place.marker.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        marker = None
    if not isinstance(marker, dict) or marker.get("lab") != place.lab or marker.get("format") != FORMAT:
        raise LabError(
            attempted=f"Read {place.marker}",
            seen=f"It does not describe the lab {place.lab} in format {FORMAT}",
            cause="Another version of this collection made the lab, or the file is damaged",
            remedy=f"Remove the lab with the version that made it, or move {place.state} away",
        )
    return marker


def _ports_of_others(place: Layout) -> set[int]:
    """Ports that other labs of this user keep, running or not."""
    taken: set[int] = set()
    for marker in place.state.parent.glob("*/lab.json"):
        if marker != place.marker:
            try:
                taken.update(json.loads(marker.read_text())["ports"].values())
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # not a lab of this format: the probe will see what listens
    return taken


def _directories(place: Layout) -> list[Path]:
    own = [place.pki, place.state / "kubeconfigs", place.handlers, place.logs]
    return [place.state, place.run, *own]


def _is_private(path: Path) -> bool:
    return path.is_dir() and stat.S_IMODE(path.stat().st_mode) == PRIVATE


def _apply(place: Layout, plan: Plan) -> None:
    for directory in plan.directories:
        _make(directory)
    _make(place.cache, mode=None)
    if plan.marker:
        write_whole(place.marker, json.dumps(plan.marker, indent=2) + "\n")


def _make(directory: Path, mode: int | None = PRIVATE) -> None:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=PRIVATE, exist_ok=True)
        if mode is not None:
            directory.chmod(mode)
    except OSError as error:
        raise cannot_write(directory, error) from error


def _check_unused(place: Layout, roots: list[Path]) -> None:
    in_use = [str(process) for process in residue.lab_processes(roots)]
    in_use += [f"a mount at {point}" for point in residue.mounts(roots)]
    if in_use:
        raise LabError(
            attempted=f"Remove the lab {place.lab}",
            seen=f"It is still in use: {'; '.join(in_use)}",
            remedy="Run the whole playbook that takes the lab away (make down); end by hand what it did not start",
        )


def _remove(root: Path, *, last: Path) -> None:
    # What is left of an interrupted removal must still be known as ours.
    for child in root.iterdir():
        if child != last:
            shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
    shutil.rmtree(root)


def _difference(place: Layout, plan: Plan) -> dict[str, str]:
    lines = [f"{path} (0700)" for path in plan.directories]
    if plan.marker:
        lines.append(f"{place.marker}: {json.dumps(plan.marker)}")
    return {"before": "", "after": "".join(f"{line}\n" for line in lines)}
