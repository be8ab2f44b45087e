"""The network of a test machine: one address that this machine reaches, and a way to the outside.

A machine's network namespace is its process's; what is made here ends with the namespace.
"""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAMESERVER = "10.0.2.3"  # slirp4netns answers there


@dataclass(frozen=True, slots=True)
class Subnet:
    """Two addresses and nobody else's."""

    number: int

    @property
    def here(self) -> str:
        """The address of this machine."""
        return f"10.231.{self.number}.1"

    @property
    def there(self) -> str:
        """The address of the test machine."""
        return f"10.231.{self.number}.2"


@contextlib.contextmanager
def reserved(directory: Path) -> Iterator[Subnet]:
    """A subnet that no other process has; the reservation ends with the block or with the process."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(256):
        with (directory / str(number)).open("w") as file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Subnet(number)
            return
    raise RuntimeError("All 256 networks for test machines are taken")


def lay_cable(pid: int, subnet: Subnet) -> None:
    """Join this machine and the namespace of a process by a pair of interfaces with the subnet's addresses.

    The one before may still be there: a namespace outlives its machine for as long as connections to it take to die.
    """
    here, there = f"edgelab{subnet.number}", "host0"
    subprocess.run(["ip", "link", "delete", here], capture_output=True, check=False)
    _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", str(pid))
    _ip("address", "add", f"{subnet.here}/30", "dev", here)
    _ip("link", "set", here, "up")
    _ip("address", "add", f"{subnet.there}/30", "dev", there, pid=pid)
    _ip("link", "set", there, "up", pid=pid)


@contextlib.contextmanager
def outside(pid: int) -> Iterator[None]:
    """The namespace of a process reaches what this machine reaches, without any rule or setting here."""
    ready, told = os.pipe()
    ends, until = os.pipe()  # slirp4netns ends when this process has closed the other side, at the latest by its end
    options = ["--configure", "--mtu=65520", "--disable-host-loopback", f"--ready-fd={told}", f"--exit-fd={ends}"]
    command = ["slirp4netns", *options, str(pid), "tap0"]
    process = subprocess.Popen(command, pass_fds=(told, ends), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.close(told)
    os.close(ends)
    try:
        if not os.read(ready, 1):
            raise RuntimeError(f"slirp4netns ended: {process.communicate()[1].decode()}")
        yield
    finally:
        os.close(ready)
        os.close(until)
        process.communicate()


def _ip(*words: str, pid: int | None = None) -> None:
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net"] if pid else []
    done = subprocess.run([*inside, "ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr}")
