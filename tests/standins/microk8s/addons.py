"""The stand-in's addons: which there are, how MicroK8s tells whether one is enabled, and what enabling does.

They leave the same traces as the real ones: objects in the cluster, arguments of services, files.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from standin import COMMON, DATA, HERE, SNAP_BIN, fail, kubectl, run, say

ADDONS = COMMON / "addons"


@dataclass(frozen=True)
class Addon:
    """An addon as its repository's list describes it. check: an object that `kubectl get` shows, or a file."""

    repository: str
    name: str
    description: str
    version: str
    check: str

    @property
    def full(self) -> str:
        """`REPOSITORY/NAME`."""
        return f"{self.repository}/{self.name}"


def available() -> list[Addon]:
    """The addons of all repositories that are there."""
    found = []
    for listed in sorted(ADDONS.glob("*/addons.json")):
        found += [Addon(listed.parent.name, **one) for one in json.loads(listed.read_text())]
    return sorted(found, key=lambda addon: (addon.repository, addon.name))


def enabled(addons: Sequence[Addon]) -> set[str]:
    """Those that are enabled, by full name. Raises nothing: an API server that does not answer enables nothing."""
    shown = kubectl("get", "all,ingressclass", "-A", "--no-headers", check=False).stdout
    shown += kubectl("get", "clusterroles", "--show-kind", "--no-headers", check=False).stdout
    return {
        one.full for one in addons if one.check in shown or (one.check.startswith("/") and Path(one.check).exists())
    }


def enable(addon: Addon, arguments: Sequence[str]) -> None:
    """What the addon's own script `enable` does."""
    say(f"Enabling {addon.name}")
    _ENABLE.get(addon.full, _deploy)(addon, arguments)
    say(f"{addon.name} is enabled")


def disable(addon: Addon, arguments: Sequence[str]) -> None:
    """What the addon's own script `disable` does."""
    say(f"Disabling {addon.name}")
    _DISABLE.get(addon.full, _undeploy)(addon, arguments)
    say(f"{addon.name} is disabled")


def _deploy(addon: Addon, _arguments: Sequence[str]) -> None:
    if addon.check.startswith("/"):
        return
    name = addon.check.partition("/")[2]
    text = (HERE / "deployment.yaml").read_text().replace("NAME", name)
    kubectl("apply", "-f", "-", text=text)


def _undeploy(addon: Addon, _arguments: Sequence[str]) -> None:
    if not addon.check.startswith("/"):
        kubectl("delete", "deployment", "-n", "kube-system", addon.check.partition("/")[2], "--wait=false")


def _enable_rbac(_addon: Addon, _arguments: Sequence[str]) -> None:
    if set_argument("kube-apiserver", "--authorization-mode", "RBAC,Node"):
        run("snap", "restart", "microk8s.daemon-kubelite")


def _disable_rbac(_addon: Addon, _arguments: Sequence[str]) -> None:
    set_argument("kube-apiserver", "--authorization-mode", "AlwaysAllow")
    run("snap", "restart", "microk8s.daemon-kubelite")
    run(str(SNAP_BIN), "status", "--wait-ready", "--timeout", "60")
    for kind in ("clusterrolebindings", "clusterroles"):
        selector = "labelSelector=kubernetes.io/bootstrapping%3Drbac-defaults"
        kubectl("delete", "--raw", f"/apis/rbac.authorization.k8s.io/v1/{kind}?{selector}")


def _enable_dns(addon: Addon, arguments: Sequence[str]) -> None:
    if bad := [one for one in arguments if not one.replace(".", "").replace(",", "").isdigit()]:
        say(f"Your input value ({bad[0]}) is not a valid and reachable IP address")
        fail("", 1)
    _deploy(addon, arguments)
    changed = set_argument("kubelet", "--cluster-domain", "cluster.local")
    if set_argument("kubelet", "--cluster-dns", "10.152.183.10") or changed:
        run("snap", "restart", "microk8s.daemon-kubelite")


def _disable_dns(addon: Addon, arguments: Sequence[str]) -> None:
    _undeploy(addon, arguments)
    for flag in ("--cluster-domain", "--cluster-dns"):
        set_argument("kubelet", flag, None)
    run("snap", "restart", "microk8s.daemon-kubelite")


def _enable_dashboard(addon: Addon, arguments: Sequence[str]) -> None:
    if unknown := [one for one in arguments[::2] if one not in ("-r", "-V")]:
        say(f"Invalid option {unknown[0]}")
        fail("", 1)
    run(str(SNAP_BIN), "enable", "metrics-server")
    _deploy(addon, arguments)


def _enable_community(_addon: Addon, _arguments: Sequence[str]) -> None:
    shutil.copytree(HERE / "addons/community", ADDONS / "community")


def _disable_community(_addon: Addon, _arguments: Sequence[str]) -> None:
    shutil.rmtree(ADDONS / "community")


def _disable_storage(addon: Addon, arguments: Sequence[str]) -> None:
    _undeploy(addon, arguments)
    if list(arguments) != ["destroy-storage"]:
        # The real one asks on the terminal, and takes the end of its input for a no.
        fail("", 1)


def set_argument(service: str, flag: str, value: str | None) -> bool:
    """As MicroK8s' own refresh_opt_in_config: replace the line, else put one first. Returns whether that changed it."""
    path = DATA / "args" / service
    lines = path.read_text().splitlines()
    new = [f"{flag}={value}" if line.startswith(f"{flag}=") else line for line in lines]
    if value is None:
        new = [line for line in lines if not line.startswith(f"{flag}=")]
    elif new == lines and f"{flag}={value}" not in lines:
        new = [f"{flag}={value}", *lines]
    if new == lines:
        return False
    path.write_text("\n".join(new) + "\n")
    return True


_Action = Callable[[Addon, Sequence[str]], None]
_ENABLE: dict[str, _Action] = {
    "core/rbac": _enable_rbac,
    "core/dns": _enable_dns,
    "core/dashboard": _enable_dashboard,
    "core/community": _enable_community,
}
_DISABLE: dict[str, _Action] = {
    "core/rbac": _disable_rbac,
    "core/dns": _disable_dns,
    "core/community": _disable_community,
    "core/hostpath-storage": _disable_storage,
}
