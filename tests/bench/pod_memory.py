"""What Pods weigh, in MB: those of the lab's Wasm node, and those of a node whose processes are this machine's, too.

PSS counts memory that processes share in parts, so a Wasm broker and its part of the zygote add up, as do the processes
of a container's Pod. The working set is what a kubelet goes by; the shim is in none.
"""

import re
from pathlib import Path

from edgelab.node.containers.records import RunDirectory
from labkit import Lab
from weight import megabytes, stat

_CGROUPS = Path("/sys/fs/cgroup")
_MB = 2**20


def wasm_memory(lab: Lab, uids: list[str]) -> dict[str, list[float]]:
    """Of each Pod's one process, and with its part of the zygote, from which they are all forked."""
    pids = [_wasm_process(lab, uid) for uid in uids]
    part = megabytes(_parent(pids[0]), "Pss:") / len(pids)
    return {
        "RSS": [megabytes(pid, "Rss:") for pid in pids],
        "PSS": [megabytes(pid, "Pss:") for pid in pids],
        "PSS with its part of the zygote": [megabytes(pid, "Pss:") + part for pid in pids],
    }


def container_memory(uids: list[str]) -> dict[str, list[float]]:
    """Of each Pod's largest process, of all (the other is the pause) with their shim, and of its control group."""
    pods = [_container_processes(uid) for uid in uids]
    largest = [max(pids, key=lambda pid: megabytes(pid, "Pss:")) for pids in pods]
    shims = [_parent(pid) for pid in largest]
    return {
        "RSS": [megabytes(pid, "Rss:") for pid in largest],
        "PSS": [megabytes(pid, "Pss:") for pid in largest],
        "PSS with pause and shim": [
            sum(megabytes(pid, "Pss:") for pid in (*pids, shim)) for pids, shim in zip(pods, shims, strict=True)
        ],
        "working set of its Pod": [_working_set(pid) for pid in largest],
    }


def _wasm_process(lab: Lab, uid: str) -> int:
    [run] = (lab.layout.state / "node/pods" / uid / "containers").glob("*/*")
    start = RunDirectory(run).start()
    assert start, f"the broker in {run} has begun"
    return start.process.pid


def _container_processes(uid: str) -> list[int]:
    # The slice of a Pod is named after its uid, with underscores by systemd's rules.
    names = (uid, uid.replace("-", "_"))
    found = [path for path in Path("/proc").glob("[0-9]*/cgroup") if any(name in _text(path) for name in names)]
    return [int(path.parent.name) for path in found]


def _working_set(pid: int) -> float:
    """Of the Pod of a process, by control groups of either version: what it uses but for inactive pages of files."""
    groups = dict(line.split(":", 2)[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    version_1 = "memory" in groups
    container = _CGROUPS / "memory" / groups["memory"][1:] if version_1 else _CGROUPS / groups[""][1:]
    usage = container.parent / ("memory.usage_in_bytes" if version_1 else "memory.current")
    inactive = re.search(r"^(?:total_)?inactive_file (\d+)$", (container.parent / "memory.stat").read_text(), re.M)
    assert inactive, "memory.stat tells inactive_file"
    return (int(usage.read_text()) - int(inactive[1])) / _MB


def _text(path: Path) -> str:
    """A file of a process, which may end meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    return int(stat(pid)[1])
