"""What the tests on Kind need of this machine: Debian packages, room for inotify, and Podman as it works here.

Root installs what is missing and raises the limit; anybody else is told what is missing.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))  # where image.py runs as a program

from packages import have  # noqa: E402

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
    """Make the machine fit; raises RuntimeError when that takes rights that we do not have."""
    have(_PACKAGES)
    # Kind mounts it into its nodes, whether the kernel has modules or not.
    Path("/lib/modules").mkdir(exist_ok=True)
    if int(_INOTIFY.read_text()) < _INOTIFY_GOOD:
        _INOTIFY.write_text(str(_INOTIFY_GOOD))


def environment() -> dict[str, str]:
    """What to add to the environment of everything that calls Podman, kind included."""
    return {"CONTAINERS_CONF": str(HERE / "containers.conf")}


def podman(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run podman; returns what it said."""
    command = ["podman", *words]
    return subprocess.run(command, check=check, capture_output=True, text=True, env=os.environ | environment())
