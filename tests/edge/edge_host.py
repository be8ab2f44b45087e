"""The edge host: a machine in QEMU with a kernel of its own, for what needs one (modules, cameras, udev, reboots).

`booted()` starts it on a fresh overlay of the image and ends it; nothing stays, however the test run ends. It is
reached on loopback alone, by ssh as an ordinary user with sudo, with a key made for the image and the host's key known:
`ssh -F DIRECTORY/ssh_config edge`. The processor is emulated, wherever this runs: a boot takes half a minute to two.
"""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import edge_image
from packages import have

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
    """A running machine; `directory` holds its ssh_config, its console's log and its disk."""

    directory: Path
    qemu: subprocess.Popen[bytes]

    @property
    def ssh_config(self) -> Path:
        """What `ssh -F` takes; the host's name there is `edge`."""
        return self.directory / "ssh_config"

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
        disk = directory / "disk.qcow2"
        backing = ["-b", str(base / "disk.raw"), "-F", "raw"]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(disk)], check=True)
        qemu = subprocess.Popen(_qemu(directory, disk, port), stdin=subprocess.DEVNULL)
        try:
            host = EdgeHost(directory, qemu)
            host.wait()
            yield host
        finally:
            qemu.kill()  # the disk is thrown away
            qemu.wait()


def _qemu(directory: Path, disk: Path, port: int) -> list[str]:
    return [
        *("setpriv", "--pdeathsig", "KILL", "--", "qemu-system-x86_64"),
        *("-M", "pc", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2", "-m", "1536"),
        *("-display", "none", "-monitor", "none", "-serial", f"file:{directory}/console.log"),
        *("-drive", f"file={disk},if=virtio,cache=unsafe"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=net"),
        *("-device", "virtio-rng-pci"),
    ]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
