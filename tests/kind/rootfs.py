"""The file system of a Kind node: Debian packages, kind's own base files and the pinned programs.

It follows images/base/Dockerfile and pkg/build/nodeimage of the kind module whose version is pinned, with Debian's
containerd, runc and CNI plugins where those build their own.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import components

# The systemd of later releases does not start where there is only cgroup v1.
SUITE = "bookworm"
_PACKAGES = [
    *("systemd", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "mount", "kmod", "procps", "hostname"),
    *("containerd", "runc", "containernetworking-plugins", "ca-certificates", "jq", "pigz", "busybox-static"),
]
_IN_USR_BIN = ("kubeadm", "kubelet", "kubectl")
_UNITS = ("kubelet.service", "containerd.service", "undo-mount-hacks.service")
_UNWANTED = (  # units that kind's Dockerfile takes away: they are for machines
    "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
    "lib/systemd/system/multi-user.target.wants/*",
    "etc/systemd/system/*.wants/*",
    "lib/systemd/system/local-fs.target.wants/*",
    "lib/systemd/system/sockets.target.wants/*udev*",
    "lib/systemd/system/sockets.target.wants/*initctl*",
    "lib/systemd/system/basic.target.wants/*",
)


def make(root: Path, kind_files: Path, our_files: Path, programs: Mapping[str, Path]) -> None:
    """Fill the empty directory `root`; takes about a minute, most of it for Debian's packages."""
    root.chmod(0o755)
    _debian(root)
    _take_away(root)
    for source in (kind_files, our_files):
        subprocess.run(["cp", "--recursive", "--no-preserve=mode,ownership", f"{source}/.", str(root)], check=True)
    for script in (*root.glob("usr/local/bin/*"), *root.glob("kind/bin/*")):
        script.chmod(0o755)
    _runtime(root)
    for name in _IN_USR_BIN:
        shutil.copy(programs[name], root / "usr/bin" / name)
    (root / "kind/version").write_text(components.version(programs["kubeadm"]))
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    _systemctl(root, "enable", *_UNITS)
    _systemctl(root, "mask", "systemd-binfmt.service")


def _debian(root: Path) -> None:
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(_PACKAGES)}"]
    small = ["path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*"]
    subprocess.run([*command, *(f"--dpkgopt={option}" for option in small), SUITE, str(root)], check=True)


def _take_away(root: Path) -> None:
    for pattern in _UNWANTED:
        for path in root.glob(pattern):
            path.unlink()
    with (root / "etc/systemd/journald.conf").open("a") as config:
        config.write("ReadKMsg=no\n")


def _runtime(root: Path) -> None:
    """containerd and the CNI plugins where kind's files look for them, and containers without limits of their own."""
    (root / "sbin/init").unlink(missing_ok=True)
    (root / "sbin/init").symlink_to("/usr/lib/systemd/systemd")
    for name in ("containerd", "ctr", "containerd-shim-runc-v2"):
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{name}")
    (root / "opt/cni").mkdir(parents=True)
    (root / "opt/cni/bin").symlink_to("/usr/lib/cni")
    made = subprocess.run(["chroot", str(root), "ctr", "oci", "spec"], check=True, capture_output=True, text=True)
    spec = json.loads(made.stdout)
    del spec["process"]["rlimits"]
    hooks = spec.setdefault("hooks", {}).setdefault("createContainer", [])
    hooks.append({"path": "/kind/bin/mount-product-files.sh"})
    (root / "etc/containerd/cri-base.json").write_text(json.dumps(spec))


def _systemctl(root: Path, *words: str) -> None:
    subprocess.run(["systemctl", "--root", str(root), *words], check=True, capture_output=True)
