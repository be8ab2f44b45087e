"""Verdicts on recorded hosts, and how devices become options of modprobe."""

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _v4l2loopback as v4l2loopback
from ansible_collections.edgelab.akri.plugins.module_utils import _v4l2loopback_model as model
from ansible_collections.edgelab.akri.plugins.module_utils import _v4l2loopback_probe as probe
from ansible_collections.edgelab.akri.plugins.module_utils import _v4l2loopback_version as versions
from ansible_collections.edgelab.akri.plugins.module_utils._host import HostError
from ansible_collections.edgelab.akri.plugins.module_utils._kernel import Kernel
from ansible_collections.edgelab.akri.plugins.module_utils._v4l2loopback_support import (
    DKMS,
    Package,
    Support,
    is_ready,
    new_enough,
    obstacle,
    wanted_packages,
)

MODULES = frozenset({"videodev", "ext4"})
DEBIAN_12 = Support(
    Kernel(distribution="debian", running="6.1.0-56-amd64", modules=MODULES),
    packages={
        "linux-headers-6.1.0-56-amd64": Package(candidate="6.1.192-2"),
        "linux-headers-amd64": Package(candidate="6.1.192-2"),
        DKMS: Package(candidate="0.12.7-2"),
    },
)
UBUNTU_24_04_ON_GCE = Support(
    Kernel(distribution="ubuntu", running="6.8.0-1021-gcp", modules=frozenset({"ext4"})),
    packages={
        "linux-headers-6.8.0-1021-gcp": Package(installed="6.8.0-1021.23", candidate="6.8.0-1021.23"),
        "linux-modules-extra-6.8.0-1021-gcp": Package(candidate="6.8.0-1021.23"),
        "linux-headers-gcp": Package(installed="6.8.0-1021.23", candidate="6.8.0-1021.23"),
        "linux-modules-extra-gcp": Package(candidate="6.8.0-1021.23"),
        DKMS: Package(candidate="0.12.7-2ubuntu5"),
    },
)
CAMERAS = "Cameras that need no kernel module: network cameras (ONVIF), which Akri discovers as well."


def on(found: Support, **changes: object) -> Support:
    return replace(found, kernel=replace(found.kernel, **changes))  # type: ignore[arg-type]


def without(found: Support, *names: str) -> Support:
    return replace(found, packages={name: told for name, told in found.packages.items() if name not in names})


def test_debian_12_builds_it_for_the_running_kernel_and_those_to_come() -> None:
    assert obstacle(DEBIAN_12) == ""
    assert wanted_packages(DEBIAN_12, ("linux-headers-amd64",)) == [
        "linux-headers-6.1.0-56-amd64",
        "linux-headers-amd64",
        "v4l2loopback-dkms",
    ]


def test_a_cloud_kernel_of_ubuntu_gets_its_extra_modules_first() -> None:
    assert obstacle(UBUNTU_24_04_ON_GCE) == ""
    found = replace(UBUNTU_24_04_ON_GCE, kernel=replace(UBUNTU_24_04_ON_GCE.kernel, headers=True))
    assert wanted_packages(found, ("linux-headers-gcp", "linux-modules-extra-gcp")) == [
        "linux-modules-extra-6.8.0-1021-gcp",
        "linux-modules-extra-gcp",
        "v4l2loopback-dkms",
    ]


def test_a_module_that_is_there_takes_nothing() -> None:
    found = replace(DEBIAN_12, module_version="0.12.7")
    assert is_ready(found)
    assert (obstacle(found), wanted_packages(found)) == ("", [])


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (
            without(UBUNTU_24_04_ON_GCE, "linux-modules-extra-6.8.0-1021-gcp"),
            (
                "Kernel 6.8.0-1021-gcp lacks the module videodev, and the package that has it, "
                "linux-modules-extra-6.8.0-1021-gcp, is not in the package lists: the running kernel is probably not "
                "the newest one. Upgrade and reboot (the role linux_host does both), then run this again."
            ),
        ),
        (
            on(DEBIAN_12, running="6.1.0-56-cloud-amd64", modules=frozenset({"ext4"})),
            (
                "Kernel 6.1.0-56-cloud-amd64 has no video support (module videodev), as Debian's cloud kernels. "
                "Install linux-image-amd64, remove linux-image-cloud-amd64 and linux-image-6.1.0-56-cloud-amd64, "
                "reboot, then run this again."
            ),
        ),
        (
            on(DEBIAN_12, secure_boot=True),
            (
                "Secure Boot is on, and a module that this machine builds itself is not signed by a key that its "
                "firmware trusts: the kernel would refuse v4l2loopback. Turn Secure Boot off, or enrol the key that "
                "DKMS signs with (mokutil --import /var/lib/dkms/mok.pub, then confirm at the console during a reboot) "
                "and run this again. "
                f"{CAMERAS}"
            ),
        ),
        (
            without(DEBIAN_12, "linux-headers-6.1.0-56-amd64"),
            (
                "The headers of the running kernel are not installed and linux-headers-6.1.0-56-amd64 is not in the "
                "package lists, so v4l2loopback cannot be built for it: the running kernel is probably not the newest "
                "one. Upgrade and reboot (the role linux_host does both), or install the headers that belong to this "
                "kernel, then run this again."
            ),
        ),
        (
            on(DEBIAN_12, container="lxc"),
            (
                "This is a container (lxc): its kernel is that of the machine around it, and only there can modules be "
                "loaded. Apply the role v4l2loopback to that machine and hand its /dev/video devices to the container. "
                f"{CAMERAS}"
            ),
        ),
        (
            on(DEBIAN_12, running="6.18.5", loadable=False, modules=frozenset()),
            f"Kernel 6.18.5 is built without loadable modules, so no v4l2loopback. {CAMERAS}",
        ),
        (
            on(DEBIAN_12, modules=frozenset()),
            (
                "There are no modules for the running kernel 6.1.0-56-amd64: it was probably replaced by an upgrade. "
                "Reboot into the installed kernel (the role linux_host does), then run this again."
            ),
        ),
        (
            replace(
                DEBIAN_12,
                module_version="0.12.3",
                packages={DKMS: Package(installed="0.12.3-1", candidate="0.12.3-1")},
            ),
            (
                "v4l2loopback 0.12.3-1 is what this machine has or can install, and Akri's cameras need 0.12.5. Use "
                "Debian 12, Ubuntu 24.04 or later, or build a newer module by hand; it is used then."
            ),
        ),
        (
            replace(
                DEBIAN_12,
                module_version="0.12.3",
                packages={DKMS: Package(installed="0.12.3-1", candidate="0.12.7-2")},
            ),
            (
                "v4l2loopback 0.12.3 is installed and Akri's cameras need 0.12.5; the package lists have 0.12.7-2. "
                "Upgrade it (the role linux_host does), then run this again."
            ),
        ),
        (
            without(DEBIAN_12, DKMS),
            (
                "v4l2loopback-dkms is not in the package lists. On Ubuntu it is in the component universe "
                "(add-apt-repository universe); then run apt-get update and this again."
            ),
        ),
    ],
    ids=[
        "an outdated cloud kernel of Ubuntu",
        "a cloud kernel of Debian",
        "Secure Boot",
        "no headers to be had",
        "a container",
        "a kernel without modules",
        "a kernel that was replaced",
        "nothing but 0.12.3",
        "0.12.3 installed",
        "no package",
    ],
)
def test_what_stands_in_the_way_is_told_with_the_remedy(found: Support, verdict: str) -> None:
    assert obstacle(found) == verdict


@pytest.mark.parametrize(
    "found",
    [
        replace(on(DEBIAN_12, secure_boot=True), key_enrolled=True),
        replace(on(DEBIAN_12, secure_boot=True), module_version="0.12.7", module_signed=True),
        replace(without(DEBIAN_12, *DEBIAN_12.packages), lists=False),
        replace(on(DEBIAN_12, container="lxc"), loaded_version="0.12.7"),
    ],
    ids=["an enrolled key", "a module signed by the distribution", "no package lists yet", "loaded outside"],
)
def test_what_does_not_stand_in_the_way(found: Support) -> None:
    assert obstacle(found) == ""


def test_an_unsigned_module_does_not_count_under_secure_boot() -> None:
    assert not is_ready(replace(on(DEBIAN_12, secure_boot=True), module_version="0.12.7"))


@pytest.mark.parametrize(
    ("version", "enough"),
    [("0.12.5", True), ("0.12.7-2ubuntu5", True), ("0.13.2-1~bpo12+1", True), ("0.9.1", False), ("", False)],
)
def test_which_versions_are_new_enough(version: str, enough: bool) -> None:
    assert new_enough(version) is enough


def test_what_apt_says_is_read() -> None:
    text = """\
linux-headers-amd64:
  Installed: (none)
  Candidate: 6.1.192-2
  Version table:
     6.1.192-2 500
v4l2loopback-dkms:
  Installed: 0.12.7-2
  Candidate: 0.12.7-2
  Version table:
 *** 0.12.7-2 500
"""
    assert probe.policy(text) == {
        "linux-headers-amd64": Package(candidate="6.1.192-2"),
        "v4l2loopback-dkms": Package(installed="0.12.7-2", candidate="0.12.7-2"),
    }


@pytest.mark.parametrize(
    ("distribution", "installed", "wanted"),
    [
        ("debian", ["linux-image-6.1.0-56-amd64", "linux-image-amd64"], ("linux-headers-amd64",)),
        (
            "ubuntu",
            ["linux-image-unsigned-6.8.0-31-generic", "linux-image-generic-hwe-24.04"],
            ("linux-headers-generic-hwe-24.04", "linux-modules-extra-generic-hwe-24.04"),
        ),
    ],
)
def test_packages_that_follow_the_newest_kernel(distribution: str, installed: list[str], wanted: tuple[str]) -> None:
    assert probe.companions(installed, Kernel(distribution, "6.1.0-56-amd64")) == wanted


def test_the_version_is_what_dkms_built_for_this_kernel(tmp_path: Path) -> None:
    for version, release in (("0.12.3", "6.1.0-50-amd64"), ("0.12.7", "6.1.0-56-amd64")):
        (tmp_path / f"var/lib/dkms/v4l2loopback/{version}").mkdir(parents=True)
        (tmp_path / f"var/lib/dkms/v4l2loopback/kernel-{release}-x86_64").symlink_to(f"{version}/{release}/x86_64")
    assert versions.built("6.1.0-56-amd64", tmp_path) == "0.12.7"
    assert versions.built("6.1.0-99-amd64", tmp_path) == ""
    assert versions.loaded("6.1.0-56-amd64", tmp_path) is None


def test_a_version_that_the_kernel_shows_is_the_loaded_one(tmp_path: Path) -> None:
    (tmp_path / "sys/module/v4l2loopback").mkdir(parents=True)
    (tmp_path / "sys/module/v4l2loopback/version").write_text("0.15.0\n")
    assert versions.loaded("6.1.0-56-amd64", tmp_path) == "0.15.0"


DOOR, YARD = model.Device("the door", 10), model.Device("yard", 11)


def test_every_device_has_exclusive_caps_and_labels_are_quoted_as_a_whole() -> None:
    assert model.options((DOOR, YARD)) == 'devices=2 video_nr=10,11 exclusive_caps=1,1 card_label="the door,yard"'


def test_the_files_are_for_boot_and_for_modprobe() -> None:
    files = model.files((DOOR,))
    assert "options v4l2loopback devices=1 " in (files[model.OPTIONS] or "")
    assert (files[model.AT_BOOT] or "").splitlines()[-1] == "v4l2loopback"
    assert model.files(()) == {model.OPTIONS: None, model.AT_BOOT: None}


@pytest.mark.parametrize(
    ("loaded", "load"),
    [
        (None, True),
        (model.Loaded("0.12.7", frozenset({DOOR, YARD}), exclusive=True), False),
        (model.Loaded("0.12.7", frozenset({DOOR, YARD}), exclusive=False), True),
        (model.Loaded("0.12.7", frozenset({DOOR}), exclusive=True), True),
        (model.Loaded("0.12.7", frozenset({DOOR, replace(YARD, label="garden")}), exclusive=True), True),
    ],
)
def test_when_the_module_is_loaded_again(loaded: model.Loaded | None, load: bool) -> None:
    assert model.must_load((DOOR, YARD), loaded) is load


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "1 to 8 devices; 0 are given"),
        ([{"label": f"c{number}", "number": number} for number in range(9)], "9 are given"),
        ([{"label": "a,b", "number": 1}], "Not a label: 'a,b'"),
        ([{"label": "", "number": 1}], "Not a label"),
        ([{"label": "a" * 32, "number": 1}], "Not a label"),
        ([{"label": "a", "number": 256}], "0 to 255"),
        ([{"label": "a", "number": 1}, {"label": "b", "number": 1}], "both must be unique"),
        ([{"label": "a", "number": 1}, {"label": "a", "number": 2}], "both must be unique"),
    ],
)
def test_devices_that_cannot_be_are_refused(given: list[dict[str, object]], told: str) -> None:
    with pytest.raises(HostError, match=told):
        model.devices(given)


def test_who_uses_a_device_is_named(tmp_path: Path) -> None:
    process = tmp_path / "412"
    (process / "fd").mkdir(parents=True)
    (process / "fd/5").symlink_to("/dev/video10")
    (process / "fd/6").symlink_to("/dev/null")
    (process / "comm").write_text("gst-launch-1.0\n")
    (process / "cgroup").write_text("0::/system.slice/edgelab-camera-video10.service\n")
    assert v4l2loopback.users(["/dev/video10"], tmp_path) == [
        "gst-launch-1.0 (412, edgelab-camera-video10.service): /dev/video10"
    ]
    assert v4l2loopback.users(["/dev/video11"], tmp_path) == []
