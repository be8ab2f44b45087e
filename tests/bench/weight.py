"""What the processes of an idle lab weigh: processor time over a minute, memory."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from labkit import Lab

Samples = tuple[list[float], float | None, float | None, str]

SECONDS = 60
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
OURS = ("node", "agent", "controller", "proxy")
TICKS = os.sysconf("SC_CLK_TCK")


def measure(lab: Lab) -> dict[str, Samples]:
    """Idle processor share of each group (percent of one core) and resident memory of each process (MB)."""
    supervision = [pid for pid in _all() if _belongs(pid, lab)]
    groups = {name: [lab.pid(name)] for name in (*CONTROL_PLANE, *OURS, "registry")}
    named = {pid for pids in groups.values() for pid in pids}
    groups["Wasm containers, zygote, supervision"] = [pid for pid in supervision if pid not in named]
    before = {name: _ticks(pids) for name, pids in groups.items()}
    time.sleep(SECONDS)
    share = {name: 100 * (_ticks(pids) - before[name]) / TICKS / SECONDS for name, pids in groups.items()}
    figures: dict[str, Samples] = {
        "idle processor, control plane": ([sum(share[name] for name in CONTROL_PLANE)], 3, 3.9, "% of a core"),
        "idle processor, everything of ours": (
            [sum(value for name, value in share.items() if name not in (*CONTROL_PLANE, "registry"))],
            1,
            None,
            "% of a core",
        ),
    }
    for name, pids in groups.items():
        figures[f"memory, {name}"] = ([sum(map(_megabytes, pids))], None, None, "MB")
    return figures


def _all() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _belongs(pid: int, lab: Lab) -> bool:
    marks = (str(lab.layout.state).encode(), str(lab.layout.run).encode())
    return any(mark in _read(pid, "cmdline") for mark in marks) and pid != os.getpid()


def _ticks(pids: Iterable[int]) -> int:
    stats = (_read(pid, "stat").rpartition(b")")[2].split() for pid in pids)
    return sum(int(fields[11]) + int(fields[12]) for fields in stats if fields)


def _megabytes(pid: int) -> float:
    lines = _read(pid, "smaps_rollup").splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(b"Pss:")), 0.0)


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
