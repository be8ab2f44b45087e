# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a machine's kernel is, and whether the machine waits for a reboot.

`observe` reads, of files below a root directory; everything else decides from what it read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._host import read

_SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A machine's kernel, as found."""

    distribution: str
    """`ID` of os-release, e.g. `debian`."""
    running: str
    """What `uname -r` says."""
    installed: tuple[str, ...] = ()
    """The kernels that the machine could boot, from the oldest to the newest."""
    modules: frozenset[str] = frozenset()
    """Modules of the running kernel, built-in ones included."""
    loadable: bool = True
    """Whether the running kernel loads modules at all."""
    headers: bool = False
    """Whether modules can be built for the running kernel."""
    container: str = ""
    """The kind of container this is, e.g. `lxc`; empty for a machine with a kernel of its own."""
    secure_boot: bool = False
    reboot_wanted_by: tuple[str, ...] = ()
    """Packages that said so when they were upgraded."""

    @property
    def flavour(self) -> str:
        """The kernel's kind, e.g. `amd64`, `cloud-amd64`, `generic`, `gcp`."""
        return flavour(self.running)

    def reboot_reasons(self) -> list[str]:
        """Why the machine should be rebooted; empty when it need not be."""
        if self.container:
            return []
        same = [release for release in self.installed if flavour(release) == self.flavour]
        reasons = []
        if same and self.running != same[-1] and version_key(self.running) < version_key(same[-1]):
            reasons.append(f"kernel {same[-1]} is installed and {self.running} runs")
        elif same and self.running not in same:
            reasons.append(f"the running kernel {self.running} is not installed any more")
        if self.reboot_wanted_by:
            reasons.append(f"upgraded and in use: {', '.join(self.reboot_wanted_by)}")
        return reasons


def observe(root: Path = Path("/")) -> Kernel:
    """Read what there is to know; raises nothing: what is not there is empty."""
    running = (read(root / "proc/sys/kernel/osrelease") or "").strip()
    modules = root / "lib/modules" / running
    return Kernel(
        distribution=_os_id(read(root / "etc/os-release") or ""),
        running=running,
        installed=_installed(root),
        modules=_modules(modules),
        loadable=(root / "proc/modules").exists(),
        headers=(modules / "build/Makefile").exists(),
        container=_container(root),
        secure_boot=_secure_boot(root),
        reboot_wanted_by=_reboot_wanted_by(root),
    )


def flavour(release: str) -> str:
    """The part of a kernel's release that follows its numbers: `6.1.0-50-cloud-amd64` → `cloud-amd64`."""
    found = re.search(r"-([a-z].*)$", release)
    return found[1] if found else ""


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Orders versions by their numbers as numbers: `6.1.0-9-amd64` comes before `6.1.0-50-amd64`."""
    parts = re.findall(r"\d+|[^\d.-]+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def _os_id(os_release: str) -> str:
    found = re.search(r'^ID="?([\w.-]+)', os_release, re.MULTILINE)
    return found[1] if found else ""


def _installed(root: Path) -> tuple[str, ...]:
    found = [path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob("vmlinuz-*")]
    return tuple(sorted(found, key=version_key))


def _modules(directory: Path) -> frozenset[str]:
    """Names of the modules that depmod listed, as the kernel writes them."""
    lines = [
        line
        for listing in ("modules.dep", "modules.builtin")
        for line in (read(directory / listing) or "").splitlines()
    ]
    paths = [line.partition(":")[0] for line in lines]
    return frozenset(Path(path).name.partition(".ko")[0].replace("-", "_") for path in paths)


def _container(root: Path) -> str:
    """What systemd or the container's engine says; the same places that systemd-detect-virt looks at."""
    told = read(root / "run/systemd/container") or read(root / "run/host/container-manager") or ""
    if told.strip():
        return told.strip()
    marks = {"run/.containerenv": "podman", ".dockerenv": "docker"}
    return next((engine for mark, engine in marks.items() if (root / mark).exists()), "")


def _secure_boot(root: Path) -> bool:
    """What the firmware's variable says: four bytes of attributes, then 1 for on."""
    try:
        return (root / _SECURE_BOOT).read_bytes()[4:5] == b"\x01"
    except OSError:
        return False


def _reboot_wanted_by(root: Path) -> tuple[str, ...]:
    """Debian's and Ubuntu's mark, and the packages that left it if they said which they are."""
    if not (root / "run/reboot-required").exists():
        return ()
    packages = (read(root / "run/reboot-required.pkgs") or "").split()
    return tuple(sorted(set(packages))) or ("a package that did not say its name",)
