"""Machines and versions, and exactly what stands in the way of a lab there.

The first machine was recorded from one that runs these tests; the others have the properties by which machines of their
kind differ from it.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.edgelab.akri.plugins.module_utils import _preflight as subject
from ansible_collections.edgelab.akri.plugins.module_utils import _preflight_machine as machine_module
from ansible_collections.edgelab.akri.plugins.module_utils._preflight import Incompatible, Machine, Needs

ROOT = Path(__file__).resolve().parents[3]
DATA = yaml.safe_load((ROOT / "roles/preflight/vars/main.yml").read_text())
NEEDS = {cluster: Needs(**needs) for cluster, needs in DATA["_preflight_needs"].items()}
TABLE = [Incompatible(**row) for row in DATA["_preflight_incompatible"]]

BUILDER = Machine(
    architecture="x86_64",
    kernel="6.18.44",
    cgroups="v1",
    init="init",
    memory=22705,
    disk={"/home/ada/.local/state/edgelab/default": 68347},
    absent_modules=["br_netfilter"],
    listening=[22],
)
LAPTOP = replace(BUILDER, kernel="6.14.0-37-generic", cgroups="v2", init="systemd", absent_modules=[])
MACHINES = {
    "builder": BUILDER,
    "laptop": LAPTOP,
    "raspberry pi 4, 1 GB": replace(LAPTOP, architecture="aarch64", kernel="6.12.47+rpt-rpi-v8", memory=610),
    "raspberry pi 2": replace(LAPTOP, architecture="armv7l"),
    "centos 7": replace(LAPTOP, kernel="3.10.0-1160.el7.x86_64", cgroups="v1"),
    "container": replace(LAPTOP, init="bash"),
    "full disk": replace(LAPTOP, disk={"/home/ada/.local/state/edgelab/default": 100}),
    "k3s runs": replace(LAPTOP, listening=[22, 6443, 10250]),
    "cloud kernel": replace(LAPTOP, kernel="6.1.0-40-cloud-amd64", absent_modules=["squashfs"]),
}
VERDICTS = {
    ("builder", "processes"): [],
    ("builder", "kind"): [],
    ("builder", "microk8s"): ["init", "modules"],
    ("laptop", "processes"): [],
    ("laptop", "kind"): [],
    ("laptop", "microk8s"): [],
    ("raspberry pi 4, 1 GB", "processes"): ["memory"],
    ("raspberry pi 4, 1 GB", "kind"): ["memory"],
    ("raspberry pi 2", "processes"): ["architecture"],
    ("centos 7", "processes"): ["kernel"],
    ("centos 7", "kind"): ["kernel"],
    ("container", "processes"): [],
    ("container", "microk8s"): ["init"],
    ("full disk", "processes"): ["disk"],
    ("k3s runs", "kind"): [],
    ("k3s runs", "microk8s"): ["ports"],
    ("cloud kernel", "microk8s"): ["modules"],
}


@pytest.mark.parametrize(("machine", "cluster"), VERDICTS)
def test_machine_gets_exactly_its_verdicts(machine: str, cluster: str) -> None:
    found = subject.findings(MACHINES[machine], NEEDS[cluster], cluster, is_new=True)
    assert [finding.name for finding in found] == VERDICTS[machine, cluster]


def test_lab_that_exists_is_not_asked_for_room() -> None:
    cramped = replace(LAPTOP, memory=1, disk={"/": 1}, listening=[16443])
    assert subject.findings(cramped, NEEDS["microk8s"], "microk8s", is_new=False) == []


def test_finding_tells_what_was_seen_and_what_to_do() -> None:
    [finding] = subject.findings(MACHINES["raspberry pi 4, 1 GB"], NEEDS["kind"], "kind", is_new=True)
    assert str(finding) == (
        "memory: 610 MiB of memory are available. "
        "A cluster of kind needs 2048: end other programs or use a larger machine."
    )


MODERN = {
    "distribution": "kind",
    "kubernetes": "v1.36.3",
    "akri_chart": "0.13.26",
    "containerd": "2.1.4",
    "cgroups": "v2",
}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, []),
        ({"kubernetes": "", "containerd": ""}, []),
        ({"cgroups": "v1"}, ["kubelet-cgroup-v1"]),
        ({"cgroups": "v1", "kubernetes": "v1.34.9"}, []),
        ({"cgroups": "v1", "distribution": "processes"}, []),
        ({"cgroups": "v1", "distribution": "microk8s"}, ["microk8s-cgroup-v1"]),
        ({"kubernetes": "v1.37.0", "containerd": "1.7.28"}, ["containerd-runtime-config"]),
        ({"kubernetes": "v1.36.3", "containerd": "1.6.20~ds1"}, []),
        ({"akri_chart": "0.12.20"}, ["akri-runtime-socket"]),
        ({"akri_chart": "0.13.8"}, []),
        ({"akri_chart": "0.7.0"}, ["akri-broker-spec"]),
        ({"kubernetes": "v1.18.20"}, ["kubernetes-csr", "pod-resources"]),
    ],
)
def test_versions_that_do_not_work_together_are_found(change: dict[str, str], names: list[str]) -> None:
    assert [finding.name for finding in subject.incompatibilities({**MODERN, **change}, TABLE)] == names


def test_incompatibility_names_the_versions_the_reason_and_the_remedy() -> None:
    [finding] = subject.incompatibilities({**MODERN, "akri_chart": "0.12.20"}, TABLE)
    row = next(row for row in TABLE if row.name == "akri-runtime-socket")
    assert str(finding) == (f"akri-runtime-socket: akri_chart 0.12.20: {row.reason}. {row.remedy} (see {row.source}).")


def test_names_of_rows_are_unique_and_each_says_why() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE)
    assert all(row.reason and row.remedy and row.source for row in TABLE)


@pytest.mark.parametrize(
    ("version", "wanted", "is_within"),
    [
        ("v1.36.3", ">=1.22", True),
        ("1.36", ">=1.36.0", True),
        ("1.9", ">=1.10", False),
        ("6.1.0-40-cloud-amd64", ">=6.1, <6.2", True),
        ("1.0.0-alpha.1", "==1.0.0", True),
        ("2", "<2.0", False),
    ],
)
def test_ranges(version: str, wanted: str, is_within: bool) -> None:
    assert subject.within(version, wanted) is is_within


@pytest.mark.parametrize("wanted", ["~1.2", ">=one", "1.2", ">=1.2 <1.3"])
def test_range_that_is_none_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match="no range of versions"):
        subject.within("1.2", wanted)


def test_this_machine_is_looked_at(tmp_path: Path) -> None:
    machine = machine_module.look(["no_such_module"], [tmp_path / "not/there/yet"])
    assert machine.absent_modules == ["no_such_module"]
    assert machine.memory > 0
    assert list(machine.disk) == [str(tmp_path / "not/there/yet")]
    assert subject.within(machine.kernel, ">=2.6")


def test_listening_ports_are_read_of_the_kernels_table() -> None:
    header = "  sl  local_address rem_address   st tx_queue\n"
    rows = [
        "   0: 0100007F:1F90 00000000:0000 0A 00000000",
        "   1: 0100007F:D431 0100007F:1F90 01 00000000",
    ]
    assert machine_module.listening(header + "\n".join(rows)) == {8080}


@pytest.mark.parametrize(("file", "version"), [("cgroup.controllers", "v2"), ("cpu/tasks", "v1")])
def test_version_of_control_groups(tmp_path: Path, file: str, version: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert machine_module.cgroups(tmp_path) == version


def installed(root: Path, name: str, content: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("sys/module/overlay/uevent", ""),
        ("proc/filesystems", "nodev\tsysfs\n\text4\nnodev\toverlay\n"),
        ("lib/modules/6.1/modules.builtin", "kernel/fs/overlayfs/overlay.ko\n"),
        ("lib/modules/6.1/modules.dep", "kernel/fs/overlayfs/overlay.ko.xz: kernel/lib/exportfs.ko.xz\n"),
    ],
)
def test_module_is_found_where_it_can_be(tmp_path: Path, file: str, content: str) -> None:
    assert not machine_module._has("overlay", tmp_path, "6.1")
    installed(tmp_path, file, content)
    assert machine_module._has("overlay", tmp_path, "6.1")


def test_needs_are_what_the_module_takes() -> None:
    fields: set[str] = set(Needs.__dataclass_fields__)
    given: dict[str, Any] = DATA["_preflight_needs"]
    assert all(set(needs) <= fields for needs in given.values())
