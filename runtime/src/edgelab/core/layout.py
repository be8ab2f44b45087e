"""Where a lab keeps its things. Pure: nothing here looks at the file system.

state  $XDG_STATE_HOME/edgelab/LAB    what must survive: certificates, etcd's data, Pods of the node, logs
run    /tmp/edgelab-UID-HASH          sockets; short, because a Unix socket's path ends at 107 bytes
cache  $XDG_CACHE_HOME/edgelab        binaries that any lab may use again
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LAB_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")
"""What a lab may be called: a DNS label of at most 32 characters."""

LONGEST_SOCKET_PATH = 107
"""Bytes that Linux leaves for the path of a Unix socket (sun_path without its end)."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where in a lab's run directory the processes of the lab meet.

    `kubelet_plugins` is another directory for the device plugins, such as /var/lib/kubelet/device-plugins, which Akri's
    own agent insists on; the pod resources API is beside it then, as a kubelet has it.
    """

    run: Path
    kubelet_plugins: Path | None = None

    @property
    def handlers(self) -> Path:
        """Directory in which discovery handlers listen."""
        return self.run / "akri"

    @property
    def registration(self) -> Path:
        """Where discovery handlers register with the agent."""
        return self.handlers / "agent-registration.sock"

    @property
    def device_plugins(self) -> Path:
        """Directory in which device plugins listen."""
        return self.kubelet_plugins or self.run / "dp"

    @property
    def kubelet(self) -> Path:
        """Where device plugins register with the node."""
        return self.device_plugins / "kubelet.sock"

    @property
    def pod_resources(self) -> Path:
        """The node's pod resources API."""
        beside = self.kubelet_plugins.parent / "pod-resources" if self.kubelet_plugins else self.run / "pr"
        return beside / "kubelet.sock"


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories of one lab and the places in them that more than one part of the lab must agree on."""

    lab: str
    state: Path
    run: Path
    cache: Path

    @property
    def marker(self) -> Path:
        """File that makes a state directory ours; holds the lab's ports."""
        return self.state / "lab.json"

    @property
    def lock(self) -> Path:
        """Who is working on this lab now."""
        return self.state / "lock"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.state / "log"

    @property
    def handlers(self) -> Path:
        """One directory per Wasm discovery handler, mounted into it at /tmp/wde-dir."""
        return self.state / "handlers"

    @property
    def sockets(self) -> "Sockets":
        """The sockets in the run directory."""
        return Sockets(self.run)

    def status_socket(self, process: str) -> Path:
        """Where a process of the runtime answers questions about itself."""
        return self.run / f"{process}.sock"


def layout(lab: str, environment: Mapping[str, str], uid: int) -> Layout:
    """The layout of a lab for a user, from the XDG variables and HOME of an environment.

    Raises ValueError for a name that is not a lab's name.
    """
    if not LAB_NAME.fullmatch(lab):
        raise ValueError(f"{lab!r} is not a lab name: 1 to 32 of a-z, 0-9 and -, no - at either end")
    home = Path(environment.get("HOME") or "/root")
    state = _xdg(environment, "XDG_STATE_HOME", home / ".local/state") / "edgelab" / lab
    return Layout(
        lab=lab,
        state=state,
        run=Path(f"/tmp/edgelab-{uid}-{hashlib.blake2b(os.fsencode(state), digest_size=3).hexdigest()}"),
        cache=_xdg(environment, "XDG_CACHE_HOME", home / ".cache") / "edgelab",
    )


def _xdg(environment: Mapping[str, str], name: str, default: Path) -> Path:
    # The XDG base directory specification: a relative path is invalid and must be ignored.
    value = environment.get(name, "")
    return Path(value) if value.startswith("/") else default
