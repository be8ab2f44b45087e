# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The program kind: what it is asked, and what it said when it failed. Raises LabError."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._kind_engine import NETWORK, Done, Run, run
from ansible_collections.edgelab.akri.plugins.module_utils._kind_model import Wanted

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError


@dataclass(frozen=True)
class Kind:
    """The program at a path, with an engine; `seconds` is how long making a cluster may take."""

    program: Path
    engine: str
    seconds: float
    run: Run = field(default=run)

    @property
    def is_there(self) -> bool:
        """Whether the program is there already; in check mode it may not be."""
        return self.program.exists()

    def create(self, wanted: Wanted) -> None:
        """Make a cluster and wait until its control plane is ready; what fails on the way, kind takes away again."""
        head = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "name": wanted.name}
        config = json.dumps({**wanted.config, **head}).encode()
        image = ["--image", wanted.image] if wanted.image else []
        wait = f"{self.seconds / 2:.0f}s"
        with tempfile.TemporaryDirectory() as scratch:
            # kind always writes a kubeconfig; ours is written whole afterwards.
            words = [
                "create",
                "cluster",
                "--config",
                "-",
                "--wait",
                wait,
                "--kubeconfig",
                f"{scratch}/kubeconfig",
                *image,
            ]
            done = self._call(*words, stdin=config)
        if done.status:
            raise LabError(
                attempted=f"Make the Kind cluster {wanted.name} with {self.engine}",
                seen=_last_words(done),
                remedy=f"To look inside: kind create cluster --retain --name {wanted.name}, then kind export logs",
            )

    def delete(self, name: str, merged: Path | None) -> None:
        """Take a cluster away, and its entries out of a merged kubeconfig."""
        with tempfile.TemporaryDirectory() as scratch:
            kubeconfig = str(merged or f"{scratch}/kubeconfig")
            done = self._call("delete", "cluster", "--name", name, "--kubeconfig", kubeconfig)
        if done.status:
            raise LabError(attempted=f"Delete the Kind cluster {name}", seen=_last_words(done))

    def kubeconfig(self, name: str) -> str:
        """The administrator's kubeconfig, with the certificates in it."""
        done = self._call("get", "kubeconfig", "--name", name)
        if done.status:
            raise LabError(attempted=f"Ask for the kubeconfig of the Kind cluster {name}", seen=_last_words(done))
        return done.text

    def merge(self, name: str, path: Path) -> None:
        """Put the cluster into a kubeconfig that others are in, too, and make it the current one there."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = self._call("export", "kubeconfig", "--name", name, "--kubeconfig", str(path))
        if done.status:
            raise LabError(attempted=f"Put the Kind cluster {name} into {path}", seen=_last_words(done))

    def _call(self, *words: str, stdin: bytes = b"") -> Done:
        # Whatever the user has set for kind: this cluster is in the network that we look at.
        networks = {f"KIND_EXPERIMENTAL_{name}_NETWORK": NETWORK for name in ("DOCKER", "PODMAN")}
        environment = {"KIND_EXPERIMENTAL_PROVIDER": self.engine, **networks}
        return self.run([str(self.program), *words], stdin=stdin, seconds=self.seconds, extra=environment)


def _last_words(done: Done) -> str:
    """The end of what kind printed; its command lines and stack traces come last and say least."""
    lines = [line for line in done.error.splitlines() if line.strip() and not line.startswith(("Stack Trace", "\t"))]
    errors = [line for line in lines if "ERROR" in line or "error:" in line.lower()]
    return " / ".join(errors[-4:] or lines[-4:]) or "no words"
