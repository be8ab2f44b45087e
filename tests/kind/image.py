"""A node image for Kind, put together from Debian packages and pinned programs, for machines that can pull none.

    python tests/kind/image.py [--variables FILE]

makes sure that Podman has the image and prints its name; with --variables it also writes the variables that a lab on
Kind needs to work with it here:

    python tests/kind/image.py --variables FILE
    export CONTAINERS_CONF=$PWD/tests/kind/containers.conf
    ansible-playbook -i inventories/kind -e @FILE site.yml

In pytest, the fixture kind_lab of tests/kind/conftest.py is a lab that was built so.

This is the tests' path and never a user's: users take the image that kind's authors publish. A build takes one to two
minutes, needs root, and is kept under the cache directory by a digest of all that goes into it.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import components
import machine
import oci
import rootfs
import variables
from edgelab.core.layout import layout

ROOT = machine.HERE.parents[1]
_PROGRAMS = [
    *("kubeadm", "kubelet", "kubectl", "etcd"),
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"),
]


def main() -> None:
    """Make sure of the image."""
    parser = argparse.ArgumentParser(description="Make sure that Podman has a node image for Kind.")
    parser.add_argument("--variables", type=Path, metavar="FILE", help="write a lab's variables for it to FILE")
    options = parser.parse_args()
    name = ensure()
    if options.variables:
        options.variables.write_text(json.dumps(variables.lab(name), indent=2) + "\n")
    print(name)  # noqa: T201


def ensure() -> str:
    """The name of the node image, which Podman has when this returns."""
    machine.prepare()
    with _locked() as cache:
        programs = _programs(cache)
        kind_files = _kind_files()
        digest = _digest(programs, kind_files)
        name = f"localhost/edgelab/kind-node:{digest}"
        if machine.podman("image", "exists", name, check=False).returncode:
            archive = cache / f"node-{digest}.tar"
            if not archive.exists():
                _build(archive, name, kind_files, programs)
            machine.podman("load", "--input", str(archive))
            _forget_others(name)
    return name


def _forget_others(name: str) -> None:
    """Take earlier images out of Podman, but for those that a cluster still uses."""
    listed = machine.podman("images", "--format", "{{.Repository}}:{{.Tag}}", name.partition(":")[0]).stdout.split()
    for other in set(listed) - {name}:
        machine.podman("rmi", other, check=False)


@contextmanager
def _locked() -> Iterator[Path]:
    """The cache directory, for one build at a time."""
    cache = layout("any", os.environ, os.getuid()).cache / "tests/kind"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def _programs(cache: Path) -> dict[str, Path]:
    """Where the pinned programs are; downloads or builds those that the cache lacks."""
    listed = cache / "programs.json"
    given = {"lab_paths": {"cache": str(cache.parents[1])}, "binaries_wanted": _PROGRAMS, "binaries_list": str(listed)}
    playbook = [Path(sys.executable).with_name("ansible-playbook"), machine.HERE / "binaries.yml"]
    subprocess.run([*playbook, "-e", json.dumps(given)], cwd=ROOT, check=True, stdout=sys.stderr)
    return {name: Path(path) for name, path in json.loads(listed.read_text()).items()}


def _kind_files() -> Path:
    """The base files of the pinned kind, out of Go's module cache."""
    module = ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kind"]
    source = ROOT / "controlplane/kind"
    subprocess.run(["go", "mod", "download", "sigs.k8s.io/kind"], cwd=source, check=True, stdout=sys.stderr)
    found = subprocess.run(module, cwd=source, check=True, capture_output=True, text=True)
    return Path(found.stdout.strip()) / "images/base/files"


def _digest(programs: Mapping[str, Path], kind_files: Path) -> str:
    """Says what an image is made of; packages apart, which are those of the day it was built."""
    found = hashlib.sha256(str(kind_files).encode())
    for name, path in sorted(programs.items()):
        found.update(f"{name} {path} {path.stat().st_size}".encode())
    sources = [*machine.HERE.glob("*.py"), *(path for path in machine.HERE.glob("files/**/*") if path.is_file())]
    for path in sorted(
        path for path in sources if path.stem in ("components", "rootfs", "oci") or "files" in path.parts
    ):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _build(archive: Path, name: str, kind_files: Path, programs: Mapping[str, Path]) -> None:
    """Build the image's archive; nothing is left of an interrupted build but a directory that the next one removes."""
    scratch = archive.with_name("build")
    shutil.rmtree(scratch, ignore_errors=True)
    root = scratch / "root"
    root.mkdir(parents=True)
    rootfs.make(root, kind_files, machine.HERE / "files", programs)
    components.put_in(root, programs, scratch)
    layer = scratch / "node.layer"
    subprocess.run(
        ["tar", "--create", "--numeric-owner", "--sort=name", "--file", layer, "--directory", root, "."], check=True
    )
    entrypoint = ["/usr/local/bin/entrypoint", "/sbin/init"]
    image = oci.Image(name, entrypoint, {"container": "podman"}, stop_signal="SIGRTMIN+3")
    built = scratch / "node.tar"
    oci.archive(built, image, layer)
    for old in archive.parent.glob("node-*.tar"):
        old.unlink()
    built.rename(archive)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
