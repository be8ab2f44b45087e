# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Whether Akri's own agent (0.13.26) can run on this machine beside a lab's Wasm node. Pure but for `look`.

What it cannot be told otherwise: it offers devices in /var/lib/kubelet/device-plugins, and serves its metrics on every
address of the machine.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import elf_architecture
from ansible_collections.edgelab.akri.plugins.module_utils._processes import running_program
from ansible_collections.edgelab.akri.plugins.module_utils._processes_model import Places

with contextlib.suppress(ImportError):  # said by _lab_module.run
    from edgelab.core.errors import LabError
    from edgelab.lab import procs

DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
_KUBELET = DEVICE_PLUGINS / "kubelet.sock"
# Every kubelet writes it beside its socket, and none but a kubelet.
_CHECKPOINT = DEVICE_PLUGINS / "kubelet_internal_checkpoint"
_ATTEMPTED = "Run Akri's own agent beside the Wasm node"
_OR_EMBEDDED = "or choose akri_agent_implementation: embedded"


@dataclass(frozen=True)
class Machine:
    """What was found: the user, who listens where kubelets do (session and words), and the lab's node if it runs."""

    uid: int
    listeners: tuple[tuple[int, str], ...]
    node: int | None
    had_kubelet: bool


def look(places: Places, node: str) -> Machine:
    """Look at this machine; `node` is the name of the process that is the lab's Wasm node."""
    return Machine(
        uid=os.geteuid(),
        listeners=tuple((one.session, str(one)) for one in procs.listeners(f"unix:{_KUBELET}")),
        node=running_program(places, node),
        had_kubelet=_CHECKPOINT.exists(),
    )


def refusal(machine: Machine, *, metrics_port: int, open_metrics: bool, dry_run: bool) -> LabError | None:
    """Why the agent cannot run here; None when it can. A dry run does not ask for a node that runs already."""
    others = [words for session, words in machine.listeners if session != machine.node]
    if machine.uid != 0:
        return LabError(
            _ATTEMPTED,
            f"This is user {machine.uid}, not root",
            f"It offers devices in {DEVICE_PLUGINS}, a path that is compiled into it and belongs to root",
            f"Run the playbook as root, {_OR_EMBEDDED}",
        )
    if not open_metrics:
        return LabError(
            _ATTEMPTED,
            f"It would serve its metrics to everybody who reaches port {metrics_port} of this machine",
            "It binds 0.0.0.0 and cannot be told otherwise",
            f"Close the port to others and set akri_agent_allow_open_metrics: true, {_OR_EMBEDDED}",
        )
    if others or machine.had_kubelet:
        return LabError(
            _ATTEMPTED,
            f"{', '.join(others)} listens on {_KUBELET}" if others else f"There is {_CHECKPOINT}",
            "A kubelet uses the directory that the Wasm node would have to have for itself",
            f"Use a machine that is no other node (and remove {DEVICE_PLUGINS} where it was one), {_OR_EMBEDDED}",
        )
    if not machine.listeners and not dry_run:
        return LabError(
            _ATTEMPTED,
            f"Nobody listens on {_KUBELET}",
            "The Wasm node has its device plugins elsewhere",
            f"Set krustlet_device_plugins_dir: {DEVICE_PLUGINS}",
        )
    return None


def check_program(path: Path, architecture: str) -> None:
    """Raise LabError unless a file can be executed here. It is not started: the agent has no --version."""
    if not path.is_file() or not os.access(path, os.X_OK):
        raise LabError(f"Use {path} as Akri's agent", "It is not a file that can be executed", "", f"chmod +x {path}")
    with path.open("rb") as file:
        header = file.read(20)
    found = elf_architecture(header)
    if header.startswith(b"\x7fELF") and found != architecture:
        seen = f"It is for {found or 'another architecture'}, this machine is {architecture}"
        raise LabError(f"Use {path} as Akri's agent", seen, "", "Give another")
