"""Machines for tests: Debian 12 booted by systemd-nspawn in a second, reached by ssh like any other.

    from machines.machine import machine

    with machine("edge") as edge:
        edge.ssh("systemctl", "is-system-running")     # as root; ssh(..., user=USER) as an ordinary user with sudo
        edge.inventory()                               # a file for ansible-playbook -i, the machine under its name

    python tests/machines/machine.py run edge -- ansible all -m ping      # ANSIBLE_INVENTORY names that file

Each machine is fresh: an overlay on a file system that is cached (`rootfs`), a network of its own of which this machine
reaches one address, and keys of its own, its host key known beforehand. It shares this machine's kernel, so it cannot
load modules. It reaches the outside as this machine does: with pip's configuration and the authorities trusted here.
Needs root. It ends with the block, or with this process however that ends, and leaves nothing: its mounts and its
network are in namespaces of its own.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machines import disk
from machines.network import Subnet, lay_cable, outside, reserved
from machines.rootfs import cache, rootfs
from packages import have

PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "slirp4netns": "slirp4netns",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
}
# Whoever kills the first process of a process namespace kills all of them.
NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
BOOT_SECONDS = 60.0


@dataclass(slots=True)
class Machine:
    """One machine. It keeps disk, keys and address while it is switched off and on again."""

    name: str
    directory: Path
    subnet: Subnet
    options: Sequence[str] = ()
    """Further options of systemd-nspawn."""
    _parts: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def address(self) -> str:
        """Where it is reached."""
        return self.subnet.there

    @property
    def key(self) -> Path:
        """The private key that root and the ordinary user let in."""
        return self.directory / "key"

    @property
    def known_hosts(self) -> Path:
        """Holds the machine's host key, under its address."""
        return self.directory / "known_hosts"

    @property
    def host_key(self) -> str:
        """Its public host key: kind and text."""
        return " ".join((self.directory / "host_key.pub").read_text().split()[:2])

    def variables(self, user: str = "root") -> dict[str, str]:
        """How Ansible reaches it."""
        return {
            "ansible_host": self.address,
            "ansible_user": user,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o IdentitiesOnly=yes",
        }

    def inventory(self, user: str = "root", **variables: Any) -> Path:
        """An inventory file with this machine alone, under its name, with further variables."""
        path = self.directory / f"inventory-{user}.json"
        hosts = {self.name: {**self.variables(user), **variables}}
        path.write_text(json.dumps({"all": {"hosts": hosts}}))
        return path

    def ssh(self, *words: str, user: str = "root", check: bool = True) -> str:
        """Run a command on it, by a shell there; returns its output, raises RuntimeError with it when it fails."""
        options = ["-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes"]
        command = ["ssh", "-i", str(self.key), *options, f"{user}@{self.address}", *words]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode} on {self.name}:\n{done.stdout}")
        return done.stdout

    def start(self) -> None:
        """Switch it on; returns when it lets people in."""
        with contextlib.ExitStack() as parts:
            pid = parts.enter_context(_booted(self))
            lay_cable(pid, self.subnet)
            parts.enter_context(outside(pid))
            self._await(self._lets_in, "let people in")
            self._parts = parts.pop_all()

    def stop(self) -> None:
        """Pull the plug."""
        self._parts.close()

    def _lets_in(self) -> bool:
        return self.ssh("echo", "in", check=False).strip() == "in"

    def _await(self, look: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while not look():
            if time.monotonic() > deadline:
                console = (self.directory / "console").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"Waited {BOOT_SECONDS:.0f} s for the machine {self.name} to {what}:\n{console}")
            time.sleep(0.05)


@contextlib.contextmanager
def machine(name: str, *options: str, started: bool = True) -> Iterator[Machine]:
    """A fresh machine, by default switched on."""
    if os.getuid() != 0:
        raise RuntimeError("Test machines are booted by systemd-nspawn, which needs root")
    have(PROGRAMS)
    with (
        tempfile.TemporaryDirectory(prefix=f"edgelab-machine-{name}-") as path,
        reserved(cache() / "subnets") as subnet,
    ):
        made = Machine(name, Path(path), subnet, options)
        disk.prepare(made.directory, name, made.address)
        try:
            if started:
                made.start()
            yield made
        finally:
            made.stop()


@contextlib.contextmanager
def _booted(of: Machine) -> Iterator[int]:
    """Its processes, in namespaces of their own; yields the process id of the first and ends all of them at once."""
    tag = f"edgelab-{of.subnet.number}"
    boot = [str(Path(__file__).with_name("boot.sh")), str(of.directory), str(rootfs()), tag]
    binds = [f"--bind-ro={path}" for path in disk.SHARED if path.exists()]
    command = ["setpriv", "--pdeathsig", "KILL", *NAMESPACES, *boot, *binds, *of.options]
    with (of.directory / "console").open("wb") as console:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
    try:
        of._await(lambda: _network(process.pid) != _network(os.getpid()), "have a network")
        yield process.pid
    finally:
        process.kill()
        process.wait()
        _remove_groups(tag)


def _network(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def _remove_groups(tag: str) -> None:
    """Remove the groups of processes that systemd-nspawn was started in, as soon as their processes are gone."""
    for group in Path("/sys/fs/cgroup").glob(f"*/{tag}"):
        groups = [group, *(path for path in group.rglob("*") if path.is_dir())]
        for each in reversed(groups):
            _remove_group(each)


def _remove_group(group: Path) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while group.exists():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def run(name: str, command: Sequence[str]) -> int:
    """Run a command while the machine of this name is there; returns how the command ended."""
    with machine(name) as made:
        return subprocess.run(
            command, env={**os.environ, "ANSIBLE_INVENTORY": str(made.inventory())}, check=False
        ).returncode


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # as ctrl-C: by way of all that tidies up
    match sys.argv[1:]:
        case ["run", given, "--", *words] if words:
            sys.exit(run(given, words))
        case _:
            sys.exit(f"{__doc__}")
