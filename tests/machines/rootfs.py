"""The file system that test machines start from: Debian 12, made once by mmdebstrap and never written to again.

It is cached under the name of its recipe's digest; whoever changes the recipe gets another one. Two runs at once build
it once. An interrupted build leaves a directory that the next one removes.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packages import have

SUITE = "bookworm"
PACKAGES = (
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "openssh-server",
    "python3",
    "python3-venv",
    "sudo",
    "iproute2",
    "iptables",
    "ca-certificates",
    "gpgv",
    "kmod",
    "netbase",
    "procps",
)
USER = "ada"
HOOKS = (
    f'chroot "$1" useradd --create-home --shell /bin/bash {USER}',
    f'echo "{USER} ALL=(ALL) NOPASSWD: ALL" > "$1/etc/sudoers.d/{USER}"',
    # Each machine gets keys of its own before it starts; asking for names in vain delays each login.
    'rm -f "$1"/etc/ssh/ssh_host_*',
    'touch "$1/etc/default/locale"; echo "UseDNS no" > "$1/etc/ssh/sshd_config.d/names.conf"',
    # What needs a clock, a kernel or a screen of its own.
    'chroot "$1" systemctl mask systemd-timesyncd apt-daily.timer apt-daily-upgrade.timer console-getty getty.target',
)


def rootfs() -> Path:
    """The directory of the file system; made when it is not there yet (about 30 s)."""
    have({"mmdebstrap": "mmdebstrap", "debootstrap": "debootstrap"})
    target = cache() / digest()
    with locked("rootfs"):
        if not target.exists():
            _build(target)
    return target


def cache() -> Path:
    """Where file systems are kept, beside the programs that the collection caches."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "edgelab/tests/machines")


def digest() -> str:
    """Names what the recipe makes."""
    recipe = json.dumps([SUITE, PACKAGES, HOOKS])
    return hashlib.blake2b(recipe.encode(), digest_size=8).hexdigest()


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time does what the name says."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(target: Path) -> None:
    half = target.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    hooks = [f"--customize-hook={hook}" for hook in HOOKS]
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}", *hooks, SUITE]
    done = subprocess.run([*command, str(half)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mmdebstrap ended with {done.returncode}:\n{done.stderr[-3000:]}")
    half.rename(target)
