"""What the processes of an idle lab weigh: processor time over a minute, memory.

RSS counts what forked processes share (the zygote and its containers) once for each, PSS in parts.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from edgelab.lab.residue import lab_processes
from figure import Figure
from labkit import Lab

SECONDS = 60
SETTLE_SECONDS = 30
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
OURS = ("node", "agent", "controller", "proxy")
TICKS = os.sysconf("SC_CLK_TCK")


def measure(lab: Lab) -> list[Figure]:
    """Idle processor time (percent of one core) and memory (MB) of everything that runs in a lab."""
    time.sleep(SETTLE_SECONDS)
    groups = _groups(lab)
    before = {name: ticks(pids) for name, pids in groups.items()}
    time.sleep(SECONDS)
    idle = {name: 100 * (ticks(pids) - before[name]) / TICKS / SECONDS for name, pids in groups.items()}
    theirs = {*CONTROL_PLANE, "registry"}
    return [
        _share("control plane together", [idle[name] for name in CONTROL_PLANE], aim=3, original=3.9),
        _share("everything of ours together", [idle[name] for name in idle if name not in theirs], aim=1),
        *(_share(name, [idle[name]]) for name in groups),
        *(_memory("PSS", "Pss:", name, pids) for name, pids in groups.items()),
        *(_memory("RSS", "Rss:", name, pids) for name, pids in groups.items()),
    ]


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the program's name: `state` first, so `starttime` is the twentieth."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _groups(lab: Lab) -> dict[str, list[int]]:
    groups = {name: [lab.pid(name)] for name in (*CONTROL_PLANE, "registry", *OURS)}
    named = {pid for pids in groups.values() for pid in pids}
    others = [process for process in lab_processes([lab.layout.state, lab.layout.run]) if process.pid not in named]
    kinds = {"supervisor.supervisord": "supervisord", "hold.py": "holds"}
    for process in others:
        kind = next((kind for mark, kind in kinds.items() if mark in process.command), "zygote and containers")
        groups.setdefault(kind, []).append(process.pid)
    return groups


def _share(name: str, shares: list[float], aim: float | None = None, original: float | None = None) -> Figure:
    return Figure(f"idle processor, {name}", "% of a core", [sum(shares)], aim, original)


def _memory(kind: str, key: str, name: str, pids: list[int]) -> Figure:
    count = f" ({len(pids)} processes)" if len(pids) > 1 else ""
    return Figure(f"{kind}, {name}{count}", "MB", [sum(megabytes(pid, key) for pid in pids)])


def ticks(pids: Iterable[int]) -> int:
    """Processor time that processes have used, in TICKS a second."""
    return sum(int(field) for pid in pids for field in stat(pid)[11:13])


def megabytes(pid: int, key: str) -> float:
    """A sum that smaps_rollup tells of a process; key: the beginning of its line, such as `Pss:`."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))
