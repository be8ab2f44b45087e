"""The images that kubeadm wants, each around a pinned program, and the node's containerd filled with them.

A program without dependencies is an image of one file. kube-proxy also brings Debian's iptables and nft with all that
their packages hold, for it calls them; a library too few shows late and silently (libxt_statistic needs libm).
"""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import oci

NODE_TOOLS = oci.Image("edgelab.invalid/node-tools:1", [], {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin"})
_SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
_PROXY_PACKAGES = ["iptables", "nftables", "conntrack"]
_USR_MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


def put_in(root: Path, programs: Mapping[str, Path], scratch: Path) -> None:
    """Import the images into the containerd of the file system at `root`, whose packages they are made of."""
    archives = [_archive(scratch, image, layer) for image, layer in _images(root, programs, scratch)]
    with _containerd(root) as ctr:
        for archive in archives:
            with archive.open("rb") as stream:
                subprocess.run([*ctr, "images", "import", "-"], stdin=stream, check=True, stdout=subprocess.DEVNULL)


def _images(root: Path, programs: Mapping[str, Path], scratch: Path) -> Iterator[tuple[oci.Image, Path]]:
    wanted = _wanted(programs["kubeadm"])
    path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}
    for name in _SERVERS:
        layer = scratch / f"{name}.layer"
        oci.layer(layer, {f"usr/local/bin/{name}": programs[name]})
        yield oci.Image(wanted[name], [f"/usr/local/bin/{name}"], path), layer
    proxy = scratch / "kube-proxy.layer"
    oci.layer(proxy, {**_package_files(root), "usr/local/bin/kube-proxy": programs["kube-proxy"]}, _USR_MERGED)
    yield oci.Image(wanted["kube-proxy"], ["/usr/local/bin/kube-proxy"], path), proxy
    tools = scratch / "node-tools.layer"
    oci.layer(tools, {}, _USR_MERGED)
    yield NODE_TOOLS, tools
    pause = scratch / "pause.layer"
    oci.layer(pause, {"busybox": root / "usr/bin/busybox"})
    for name in {_sandbox_image(root), wanted["pause"]}:
        yield oci.Image(name, ["/busybox", "sleep", "infinity"]), pause


def _wanted(kubeadm: Path) -> dict[str, str]:
    """What kubeadm asks for: the last part of an image's name → the whole name with its tag."""
    listed = subprocess.run(
        [kubeadm, "config", "images", "list", "--kubernetes-version", version(kubeadm)],
        check=True,
        capture_output=True,
        text=True,
    )
    return {line.rpartition(":")[0].rpartition("/")[2]: line for line in listed.stdout.split()}


def version(kubeadm: Path) -> str:
    """The version of Kubernetes, e.g. v1.36.3."""
    done = subprocess.run([kubeadm, "version", "-o", "short"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _sandbox_image(root: Path) -> str:
    found = re.search(r'^\s*sandbox_image = "(.+)"$', (root / "etc/containerd/config.toml").read_text(), re.MULTILINE)
    assert found, "kind's config.toml names the image of the sandbox"
    return found[1]


def _package_files(root: Path) -> dict[str, Path]:
    """Where the files of kube-proxy's packages and of all they depend on belong in an image, and where they are."""
    listed = _dpkg(root, "--listfiles", *_with_dependencies(root, _PROXY_PACKAGES)).splitlines()
    # The links that update-alternatives made belong to no package.
    links = [path for place in ("etc/alternatives", "usr/sbin") for path in (root / place).glob("ip*tables*")]
    found = [*listed, *(f"/{path.relative_to(root)}" for path in links)]
    names = {re.sub(r"^/(bin|sbin|lib|lib64)/", r"usr/\1/", name).lstrip("/") for name in found}
    kept = sorted(name for name in names - set(_USR_MERGED) if not name.startswith("usr/share/"))
    return {name: root / name for name in kept if (root / name).is_symlink() or (root / name).is_file()}


def _with_dependencies(root: Path, packages: list[str]) -> set[str]:
    lines = _dpkg(root, "--show", "--showformat=${Package}|${Depends}, ${Pre-Depends}\n").splitlines()
    depends = {
        name: set(re.findall(r"[a-z0-9][a-z0-9.+-]+(?=[ :,]|$)", rest))
        for name, _, rest in (line.partition("|") for line in lines)
    }
    closure: set[str] = set()
    todo = set(packages)
    while todo:
        closure |= todo
        todo = {name for package in todo for name in depends[package] if name in depends} - closure
    return closure


def _dpkg(root: Path, *words: str) -> str:
    command = ["chroot", str(root), "dpkg-query", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def _containerd(root: Path) -> Iterator[list[str]]:
    """The file system's own containerd, private to us, for as long as images go into it; yields the command ctr."""
    socket = "/run/import.sock"
    inside = ["unshare", "--mount", "chroot", str(root)]
    server = subprocess.Popen([*inside, "sh", "-c", f"mount -t proc proc /proc && exec containerd --address {socket}"])
    ctr = ["chroot", str(root), "ctr", "--address", socket, "--namespace", "k8s.io"]
    try:
        _answers(ctr)
        yield ctr
    finally:
        server.terminate()
        server.wait()


def _answers(ctr: list[str]) -> None:
    deadline = time.monotonic() + 30
    while subprocess.run([*ctr, "version"], check=False, capture_output=True).returncode:
        assert time.monotonic() < deadline, "containerd did not come up in 30 s"
        time.sleep(0.2)


def _archive(scratch: Path, image: oci.Image, layer: Path) -> Path:
    target = Path(tempfile.mkstemp(dir=scratch, suffix=".tar")[1])
    oci.archive(target, image, layer)
    return target
