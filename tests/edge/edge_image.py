"""The disk of the edge host: Debian 12 with a kernel of its own, made once and never written to again.

    python tests/edge/edge_image.py

makes sure of it (two minutes, as root) and prints its directory, which holds `disk.raw`, the key that logs in, `key`,
and `known_hosts`. It is cached under a digest of its recipe; two runs at once build it once; nothing but a directory
that the next build removes is left of an interrupted one.

All packages are the newest but the kernel, which is that of Debian's main archive and not of the security archive, so
that an upgrade may bring a newer one. The boot loader starts what /vmlinuz points to; Debian's kernel packages keep it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgelab.core.layout import layout

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))  # as pytest has it

from packages import have  # noqa: E402

USER = "ada"
_PACKAGES = [
    *("systemd-sysv", "udev", "dbus", "openssh-server", "sudo", "python3", "python3-apt", "iproute2", "kmod"),
    *("ca-certificates", "procps", "netbase", "initramfs-tools", "zstd", "linux-image-amd64/bookworm", "v4l-utils"),
]
_MEGABYTES = 8192
_FIRST_SECTOR = 2048
_GRUB = Path("/usr/lib/grub/i386-pc")
_GRUB_MODULES = ["biosdisk", "part_msdos", "ext2", "linux"]
_SETTINGS = ("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::http::Proxy", "Acquire::https::Proxy")


def ensure() -> Path:
    """The directory of the image, which is there and complete when this returns."""
    have(
        {
            "mmdebstrap": "mmdebstrap",
            "grub-mkimage": "grub-common",
            "grub-ntldr-img": "grub-pc-bin",
            "sfdisk": "fdisk",
            "mke2fs": "e2fsprogs",
            "ssh-keygen": "openssh-client",
        }
    )
    cache = layout("any", os.environ, os.getuid()).cache / "tests/edge"
    cache.mkdir(parents=True, exist_ok=True)
    settings = _settings()
    image = cache / _digest(settings)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            _build(image, settings)
    return image


def _settings() -> list[str]:
    """What this machine's apt is told about reaching its archive; the edge host's apt is told the same."""
    dumped = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    return sorted(line for line in dumped.splitlines() if line.split(" ")[0] in _SETTINGS)


def _digest(settings: Sequence[str]) -> str:
    found = hashlib.blake2b("\n".join(settings).encode(), digest_size=8)
    recipe = [HERE / name for name in ("edge_image.py", "customize.sh", "grub.cfg")]
    for path in sorted([*recipe, *(HERE / "early").rglob("*"), *(HERE / "rootfs").rglob("*")]):
        if path.is_file():
            found.update(str(path.relative_to(HERE)).encode() + path.read_bytes())
    return found.hexdigest()


def _build(image: Path, settings: Sequence[str]) -> None:
    for other in image.parent.iterdir():  # older recipes, and what an interrupted build left
        if other.is_dir():
            shutil.rmtree(other)
    half = image.with_suffix(".half")
    half.mkdir()
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tests/edge", "-f", half / "key")
    _debian(half / "root", half / "key.pub", settings)
    host_key = (half / "root/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    (half / "known_hosts").write_text(f"edge {' '.join(host_key)}\n")
    _disk(half / "disk.raw", half / "root")
    _boot_loader(half / "disk.raw", half)
    shutil.rmtree(half / "root")
    half.rename(image)


def _debian(root: Path, key: Path, settings: Sequence[str]) -> None:
    """Debian's packages, our files over them, then customize.sh."""
    options = [f"--aptopt={setting}" for setting in ['Apt::Install-Recommends "false"', *settings]]
    early = f"--essential-hook=sync-in {HERE}/early /"  # before the first initrd is built
    hooks = [f"sync-in {HERE}/rootfs /", f'{HERE}/customize.sh "$1" {key}']
    # What it mounts for the time being is gone with its mount namespace, also when it is interrupted.
    mmdebstrap = ["unshare", "--mount", "mmdebstrap", "--quiet", "--variant=minbase", "--skip=cleanup/apt"]
    include = f"--include={','.join(_PACKAGES)}"
    customize = [f"--customize-hook={hook}" for hook in hooks]
    _run(*mmdebstrap, include, *options, early, *customize, "bookworm", root, *_sources())


def _sources() -> list[str]:
    """Where Debian 12's packages and security updates come from: as this machine has it, else as mmdebstrap does."""
    command = ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = dict(line.split(" ", 1) for line in lines)
    return [f"deb {found[suite]} {suite} main" for suite in ("bookworm", "bookworm-security") if suite in found]


def _disk(disk: Path, root: Path) -> None:
    """A disk with one partition that holds the file system at root."""
    with disk.open("wb") as file:
        file.truncate(_MEGABYTES << 20)
    _run("sfdisk", "--quiet", disk, given=f"{_FIRST_SECTOR},,L,*\n")
    offset = _FIRST_SECTOR * 512
    # What this grub cannot read, or an older mke2fs does not know, is left out.
    features = "^metadata_csum_seed,^orphan_file"
    size = f"{(_MEGABYTES << 10) - offset // 1024}k"
    _run("mke2fs", "-q", "-t", "ext4", "-O", features, "-E", f"offset={offset}", "-d", root, disk, size)


def _boot_loader(disk: Path, scratch: Path) -> None:
    """grub in the first sectors, without a configuration that anybody would have to keep up to date."""
    core = scratch / "core.img"
    _run("grub-mkimage", "-O", "i386-pc", "-p", "/", "-c", HERE / "grub.cfg", "-o", core, *_GRUB_MODULES)
    with disk.open("r+b") as file:
        file.write((_GRUB / "boot.img").read_bytes()[:440])  # the partition table follows
        file.seek(512)
        file.write(core.read_bytes())


def _run(*command: str | Path, given: str = "") -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run(command, input=given, text=True, check=True, stdout=sys.stderr, env={**os.environ, "PATH": path})


if __name__ == "__main__":
    print(ensure())  # noqa: T201
