"""The edge host: a machine in QEMU with a kernel of its own, for what needs one (modules, cameras, udev, reboots).

`booted()` starts it on a fresh overlay of the image and ends it; nothing stays, however the test run ends. It is
reached on loopback alone, by ssh as an ordinary user with sudo, with a key made for the image and the host's key known:
`ssh -F DIRECTORY/ssh_config edge`. Besides, it and this machine are alone on a network, for what calls each other
without ssh. The processor is emulated, wherever this runs: a boot takes half a minute to two.

    python tests/edge/edge_host.py

keeps one up until it is interrupted, and says where it is.
"""

import ipaddress
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import edge_image
from packages import have  # which edge_image has made importable

_BOOT_SECONDS = 900
_SSH_CONFIG = """\
Host edge
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {directory}/key
  IdentitiesOnly yes
  HostKeyAlias edge
  UserKnownHostsFile {directory}/known_hosts
  StrictHostKeyChecking yes
  ConnectTimeout 15
  KexAlgorithms curve25519-sha256
  ServerAliveInterval 30
  ServerAliveCountMax 10
"""


@dataclass(frozen=True, slots=True)
class EdgeHost:
    """A running machine; `directory` holds its ssh_config, its console's log and its disk.

    `network` is that of the two machines, in which the first address is this machine's.
    """

    directory: Path
    network: ipaddress.IPv4Network
    qemu: subprocess.Popen[bytes]

    @property
    def ssh_config(self) -> Path:
        """What `ssh -F` takes; the host's name there is `edge`."""
        return self.directory / "ssh_config"

    @property
    def lab_address(self) -> str:
        """Where it reaches this machine."""
        return str(self.network[1])

    @property
    def address(self) -> str:
        """Where this machine reaches it."""
        return str(self.network[2])

    def run(self, command: str, *, check: bool = True) -> str:
        """Run a command line on the machine as its ordinary user; returns what it printed, errors included."""
        done = self._ssh(command)
        if check and done.returncode:
            raise AssertionError(f"{command!r} ended with {done.returncode} on the edge host:\n{done.stdout}")
        return done.stdout

    def read(self, command: str) -> bytes:
        """What a command line writes to its standard output, as it is."""
        return subprocess.run(self._argv(command), stdin=subprocess.DEVNULL, check=True, capture_output=True).stdout

    def wait(self) -> None:
        """Until it lets us in; raises with the end of its console when it does not."""
        deadline = time.monotonic() + _BOOT_SECONDS
        while self._ssh("true").returncode:
            console = self.directory / "console.log"
            told = console.read_text(errors="replace")[-3000:] if console.exists() else ""
            if self.qemu.poll() is not None:
                raise AssertionError(f"QEMU ended with {self.qemu.returncode} before the edge host was up:\n{told}")
            if time.monotonic() > deadline:
                raise AssertionError(f"The edge host did not let us in within {_BOOT_SECONDS} s. Its console:\n{told}")
            time.sleep(1)

    def _argv(self, command: str) -> list[str]:
        return ["ssh", "-F", str(self.ssh_config), "edge", command]

    def _ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._argv(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


@contextmanager
def booted() -> Iterator[EdgeHost]:
    """A machine that lets us in; it ends with the context, and with this process."""
    have({"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "setpriv": "util-linux"})
    base = edge_image.ensure()
    with tempfile.TemporaryDirectory(prefix="edgelab-edge-") as scratch:
        directory, port = Path(scratch), _free_port()
        (directory / "ssh_config").write_text(_SSH_CONFIG.format(port=port, user=edge_image.USER, directory=scratch))
        for name in ("key", "known_hosts"):  # the image may be replaced while this machine runs
            shutil.copy2(base / name, directory)
        backing = ["-b", str(base / "disk.raw"), "-F", "raw"]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(directory / "disk.qcow2")], check=True)
        network = _free_network()
        qemu = subprocess.Popen(_qemu(directory, port, network), stdin=subprocess.DEVNULL)
        try:
            host = EdgeHost(directory, network, qemu)
            host.wait()
            yield host
        finally:
            qemu.kill()  # the disk is thrown away
            qemu.wait()


def _qemu(directory: Path, port: int, network: ipaddress.IPv4Network) -> list[str]:
    # QEMU makes the interface, which so goes with it.
    script = directory / "network"
    script.write_text(f'#!/bin/sh\nip address add {network[1]}/24 dev "$1" && ip link set "$1" up\n')
    script.chmod(0o755)
    hardware = ":".join(f"{byte:02x}" for byte in (2, 0, *network[2].packed))  # which tells the machine its address
    return [
        *("setpriv", "--pdeathsig", "KILL", "--", "qemu-system-x86_64"),
        *("-M", "pc", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2", "-m", "3072"),
        *("-display", "none", "-monitor", "none", "-serial", f"file:{directory}/console.log"),
        *("-drive", f"file={directory}/disk.qcow2,if=virtio,cache=unsafe"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=net"),
        *("-netdev", f"tap,id=lab,script={script},downscript=no"),
        *("-device", f"virtio-net-pci,netdev=lab,mac={hardware}"),
        *("-device", "virtio-rng-pci"),
    ]


def _free_network() -> ipaddress.IPv4Network:
    """One that nothing on this machine leads to."""
    listed = subprocess.run(["ip", "-4", "route"], check=True, capture_output=True, text=True)
    words = [line.split()[0] for line in listed.stdout.splitlines()]
    taken = [ipaddress.ip_network(word) for word in words if word[0].isdigit()]
    second = range(200, 255)  # where few networks are
    while True:
        network = ipaddress.ip_network(f"10.{random.choice(second)}.{random.randrange(256)}.0/24")
        if not any(network.overlaps(other) for other in taken):
            return network


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with booted() as kept:
        print(f"ssh -F {kept.ssh_config} edge; {kept.address} is its address, {kept.lab_address} this machine's")  # noqa: T201
        sys.stdout.flush()
        signal.pause()
