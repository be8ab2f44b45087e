"""What a machine's files say about its kernel, and when it should be rebooted."""

from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._kernel import Kernel, flavour, observe, version_key

NEW, OLD = "6.1.0-56-amd64", "6.1.0-50-amd64"


def put(root: Path, name: str, text: str | bytes = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A Debian machine that has two kernels and runs the older one."""
    put(tmp_path, "etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\n')
    put(tmp_path, "proc/sys/kernel/osrelease", f"{OLD}\n")
    put(tmp_path, "proc/modules")
    put(tmp_path, f"boot/vmlinuz-{NEW}")
    put(tmp_path, f"boot/vmlinuz-{OLD}")
    put(tmp_path, f"lib/modules/{OLD}/modules.dep", "kernel/drivers/media/v4l2-core/videodev.ko.xz: kernel/x.ko\n")
    put(tmp_path, f"lib/modules/{OLD}/modules.builtin", "kernel/fs/fuse/fuse-core.ko\n")
    return tmp_path


def test_what_is_there_is_read(machine: Path) -> None:
    put(machine, f"lib/modules/{OLD}/build/Makefile")
    kernel = observe(machine)
    assert (kernel.distribution, kernel.running, kernel.installed) == ("debian", OLD, (OLD, NEW))
    assert kernel.modules == {"videodev", "fuse_core"}
    assert (kernel.loadable, kernel.headers, kernel.container, kernel.secure_boot) == (True, True, "", False)


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert observe(tmp_path) == Kernel(distribution="", running="", loadable=False)


@pytest.mark.parametrize(("variable", "on"), [(b"\6\0\0\0\1", True), (b"\6\0\0\0\0", False), (b"", False)])
def test_secure_boot_is_what_the_firmware_says(machine: Path, variable: bytes, on: bool) -> None:
    put(machine, "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", variable)
    assert observe(machine).secure_boot is on


@pytest.mark.parametrize(
    ("mark", "text", "container"),
    [
        ("run/systemd/container", "lxc\n", "lxc"),
        ("run/host/container-manager", "systemd-nspawn\n", "systemd-nspawn"),
        ("run/.containerenv", "", "podman"),
        (".dockerenv", "", "docker"),
    ],
)
def test_a_container_is_known(machine: Path, mark: str, text: str, container: str) -> None:
    put(machine, mark, text)
    assert observe(machine).container == container


def test_a_newer_kernel_asks_for_a_reboot(machine: Path) -> None:
    assert observe(machine).reboot_reasons() == [f"kernel {NEW} is installed and {OLD} runs"]


def test_the_newest_kernel_does_not(machine: Path) -> None:
    put(machine, "proc/sys/kernel/osrelease", f"{NEW}\n")
    assert observe(machine).reboot_reasons() == []


def test_a_newer_kernel_of_another_kind_does_not(machine: Path) -> None:
    (machine / "boot" / f"vmlinuz-{NEW}").unlink()
    put(machine, "boot/vmlinuz-6.1.0-56-cloud-amd64")
    assert observe(machine).reboot_reasons() == []


def test_a_kernel_that_was_removed_does(machine: Path) -> None:
    put(machine, "proc/sys/kernel/osrelease", "6.1.0-99-amd64\n")
    assert observe(machine).reboot_reasons() == ["the running kernel 6.1.0-99-amd64 is not installed any more"]


def test_packages_that_ask_are_named(machine: Path) -> None:
    put(machine, "proc/sys/kernel/osrelease", f"{NEW}\n")
    put(machine, "run/reboot-required", "*** System restart required ***\n")
    put(machine, "run/reboot-required.pkgs", "libc6\ndbus\nlibc6\n")
    assert observe(machine).reboot_reasons() == ["upgraded and in use: dbus, libc6"]
    (machine / "run/reboot-required.pkgs").unlink()
    assert observe(machine).reboot_reasons() == ["upgraded and in use: a package that did not say its name"]


def test_a_container_is_never_rebooted(machine: Path) -> None:
    put(machine, "run/systemd/container", "lxc\n")
    put(machine, "run/reboot-required")
    assert observe(machine).reboot_reasons() == []


@pytest.mark.parametrize(
    ("release", "kind"),
    [
        ("6.1.0-50-amd64", "amd64"),
        ("6.1.0-50-cloud-arm64", "cloud-arm64"),
        ("6.12.107+deb12-amd64", "amd64"),
        ("6.8.0-1021-gcp", "gcp"),
        ("6.14.0-28-generic", "generic"),
        ("6.18.0", ""),
    ],
)
def test_the_kind_of_a_kernel(release: str, kind: str) -> None:
    assert flavour(release) == kind


def test_versions_are_ordered_by_their_numbers() -> None:
    ordered = ["5.10.0-9-amd64", "6.1.0-9-amd64", "6.1.0-50-amd64", "6.12.101+deb12-amd64", "6.12.107+deb12-amd64"]
    assert sorted(set(ordered), key=version_key) == ordered
