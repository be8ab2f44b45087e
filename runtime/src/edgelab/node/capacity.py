"""What the machine has and how it fares, measured from /proc and the file system of the node's directory."""

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Machine:
    """What does not change while the node runs; memory and disk in KiB."""

    cpus: int
    memory: int
    disk: int
    kernel: str
    os_image: str
    machine_id: str
    boot_id: str
    wasmtime: str


@dataclass(frozen=True, slots=True)
class Load:
    """What is left; memory and disk in bytes, `pids` the share of process ids in use."""

    memory: int
    disk: int
    pids: float

    @property
    def memory_pressure(self) -> bool:
        """Less than 100 MiB to be had, as a kubelet's default says."""
        return self.memory < 100 * _MIB

    @property
    def disk_pressure(self) -> bool:
        """Less than 256 MiB free. A kubelet's default is 10 %, which for modules of some KiB means nothing."""
        return self.disk < 256 * _MIB

    @property
    def pid_pressure(self) -> bool:
        """More than nine tenths of the process ids are in use."""
        return self.pids > 0.9


def machine(directory: Path) -> Machine:
    """Measure the machine; disk is that of the directory."""
    disk = os.statvfs(directory)
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory=meminfo(Path("/proc/meminfo").read_text())["MemTotal"],
        disk=disk.f_blocks * disk.f_frsize // 1024,
        kernel=platform.release(),
        os_image=_os_image(),
        machine_id=_line("/etc/machine-id"),
        boot_id=_line("/proc/sys/kernel/random/boot_id"),
        # From the package's record: importing wasmtime itself would load 20 MB that this process does not need.
        wasmtime=version("wasmtime"),
    )


def load(directory: Path) -> Load:
    """Measure what is left now."""
    disk = os.statvfs(directory)
    tasks = int(_line("/proc/loadavg").split()[3].split("/")[1])
    limit = min(int(_line("/proc/sys/kernel/pid_max")), int(_line("/proc/sys/kernel/threads-max")))
    return Load(
        memory=meminfo(Path("/proc/meminfo").read_text())["MemAvailable"] * 1024,
        disk=disk.f_bavail * disk.f_frsize,
        pids=tasks / limit,
    )


def meminfo(text: str) -> dict[str, int]:
    """The KiB values of /proc/meminfo by their names."""
    return {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _line(path: str) -> str:
    """Content of a one-line file; empty where there is none, as in many containers."""
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
