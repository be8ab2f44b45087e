"""What the tests on Kind need of this machine: Debian packages, room for inotify, and Podman as it works here.

Root installs what is missing and raises the limit; anybody else is told what is missing.
"""

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
_PACKAGES = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
    "iptables": "iptables",
}
# A node takes about 30 and the kernel gives all of root's processes 128; Kind's own advice is 512.
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_GOOD = 512


def prepare() -> None:
    """Install what is missing; raises when that takes rights that we do not have."""
    missing = [package for program, package in _PACKAGES.items() if not shutil.which(program)]
    if missing:
        assert os.geteuid() == 0, f"these packages are needed: apt install {' '.join(missing)}"
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            subprocess.run(
                ["apt-get", "--quiet", *words], check=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            )
    # Kind mounts it into its nodes, whether the kernel has modules or not.
    Path("/lib/modules").mkdir(exist_ok=True)
    if int(_INOTIFY.read_text()) < _INOTIFY_GOOD:
        _INOTIFY.write_text(str(_INOTIFY_GOOD))


def environment() -> dict[str, str]:
    """What to add to the environment of everything that calls Podman, kind included."""
    return {"CONTAINERS_CONF": str(HERE / "containers.conf"), "KIND_EXPERIMENTAL_PROVIDER": "podman"}


def podman(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run podman; returns what it said."""
    command = ["podman", *words]
    return subprocess.run(command, check=check, capture_output=True, text=True, env=os.environ | environment())
