"""What a test machine's disk has beyond the cached file system, written before it boots."""

import ast
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from machines.network import NAMESERVER
from machines.rootfs import USER

USER_ID = 1000
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
SHARED = (AUTHORITIES,)
"""Files of this machine that the test machine has, too, if they are here."""


def prepare(directory: Path, name: str, address: str) -> None:
    """Make `key`, `host_key`, `known_hosts` and the directories of the overlay, whose `upper` is the disk."""
    for part in ("upper", "work", "root"):
        (directory / part).mkdir()
    upper = directory / "upper"
    for key in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", directory / key], check=True)
    (directory / "known_hosts").write_text(f"{address} {(directory / 'host_key.pub').read_text()}")
    _let_in(upper / "root", directory / "key.pub", 0)
    _let_in(upper / "home" / USER, directory / "key.pub", USER_ID)
    host_key = upper / "etc/ssh/ssh_host_ed25519_key"
    host_key.parent.mkdir(parents=True)
    shutil.copy(directory / "host_key", host_key)
    shutil.copy(directory / "host_key.pub", host_key.with_suffix(".pub"))
    (upper / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
    (upper / "etc/hostname").write_text(f"{name}\n")
    (upper / "etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{address} {name}\n")
    (upper / "etc/resolv.conf").write_text(f"nameserver {NAMESERVER}\n")
    (upper / "etc/pip.conf").write_text(_pip_configuration())


def _let_in(home: Path, key: Path, owner: int) -> None:
    (home / ".ssh").mkdir(parents=True)
    shutil.copy(key, home / ".ssh/authorized_keys")
    for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
        shutil.chown(path, owner, owner)
        path.chmod(0o600 if path.is_file() else 0o700)


def _pip_configuration() -> str:
    """How pip reaches its index from here, whether by files or by the environment, as a file."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    options = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        options[name.rpartition(".")[2]] = ast.literal_eval(value)
    return "".join(["[global]\n", *(f"{name} = {value}\n" for name, value in options.items())])
