"""A real OpenSSH server on a port of loopback as each instance of the stand-in for Compute Engine.

Whoever has the private key of the instance's metadata `ssh-keys` gets in, as the user who runs the tests: accounts of
its own would take a real machine. Where the system has no sshd, Debian's package is fetched by apt and unpacked into
the tests' cache; nothing is installed. The user `sshd`, which a server of root's insists on, is then there for the
server alone: in an /etc/passwd of its mount namespace.
"""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from google.cloud import compute_v1
from standins.gce_cloud import Booted

PACKAGES = ["openssh-server", "libwrap0"]


class SshMachines:
    """Machines for `gce_cloud.Cloud`, each an sshd on 127.0.0.1 and the one port that is free now: one at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.user = getpass.getuser()
        self.program, self.libraries = find_sshd()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def create(self, instance: compute_v1.Instance) -> Booted:
        """Start the server of an instance with a host key of its own."""
        home = self.directory / instance.name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "host"], check=True)
        given = next((item.value for item in instance.metadata.items if item.key == "ssh-keys"), "")
        keys = [line.partition(":")[2] for line in given.splitlines() if line.startswith(f"{self.user}:")]
        (home / "authorized_keys").write_text("".join(f"{key}\n" for key in keys))
        (home / "config").write_text(self.config(home))
        self.start(instance.name, home)
        kind, key = (home / "host.pub").read_text().split()[:2]
        return Booted("127.0.0.1", {kind: key})

    def delete(self, name: str) -> None:
        """End the server of an instance."""
        process = self.running.pop(name, None)
        if process:
            process.terminate()
            process.wait(20)
        shutil.rmtree(self.directory / name, ignore_errors=True)

    def config(self, home: Path) -> str:
        """The server's configuration: one key, one port, no passwords, no PAM."""
        return "\n".join(
            [
                f"Port {self.port}",
                "ListenAddress 127.0.0.1",
                f"HostKey {home}/host",
                f"AuthorizedKeysFile {home}/authorized_keys",
                f"PidFile {home}/pid",
                "PasswordAuthentication no",
                "KbdInteractiveAuthentication no",
                "UsePAM no",
                "StrictModes no",
                "",
            ]
        )

    def start(self, name: str, home: Path) -> None:
        """Run the server until it listens."""
        command = [str(self.program), "-D", "-e", "-f", str(home / "config")]
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
            command = [*with_its_user(home / "passwd"), *command]
        with (home / "log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "LD_LIBRARY_PATH": str(self.libraries)},
            )
        while "listening" not in (home / "log").read_text():
            if self.running[name].poll() is not None:
                raise RuntimeError(f"sshd ended: {(home / 'log').read_text()}")


def with_its_user(passwd: Path) -> list[str]:
    """What goes before a command so that it sees a user `sshd`, [] where there is one."""
    users = Path("/etc/passwd").read_text()
    if "\nsshd:" in users:
        return []
    passwd.write_text(f"{users.rstrip()}\nsshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n")
    script = 'mount --bind "$0" /etc/passwd && exec "$@"'
    return ["unshare", "--mount", "--", "sh", "-c", script, str(passwd)]


def find_sshd() -> tuple[Path, Path]:
    """The system's sshd or an unpacked one, and the directory of the libraries that it needs beyond the system's."""
    installed = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if installed:
        return Path(installed), Path("/nonexistent")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgelab/tests/sshd"
    if not cache.exists():
        unpack(cache)
    library = next(cache.glob("**/libwrap.so.0"))
    return cache / "usr/sbin/sshd", library.parent


def unpack(cache: Path) -> None:
    """Fetch Debian's packages and unpack them into a directory that appears whole."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent) as scratch:
        subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=scratch, check=True, capture_output=True)
        for package in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, Path(scratch) / "whole"], check=True)
        (Path(scratch) / "whole").rename(cache)
