# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a release of a chart is, and what kubernetes.core.helm has to do about it.

`plan` compares a release that was found with the one that is wanted and returns the calls of kubernetes.core.helm that
make it so. The sha256 of the chart's archive goes into the release as the value global.chartSha256, since Helm itself
does not tell whether two archives of one version differ. Raises LabError where Helm fails.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._binary_cache import sha256
from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole
from ansible_collections.edgelab.akri.plugins.module_utils._kube import LabError, Object
from ansible_collections.edgelab.akri.plugins.module_utils._manifests_model import Change, Manifest, result

with contextlib.suppress(ImportError):  # _kube names what is missing
    import yaml

_SECONDS = 60
_NOT_FOUND = "release: not found"
_DEPLOYED = "deployed"

# kubernetes.core 6.2 was written for Helm 3 and asks for `helm list --all`; Helm 4 lists all by itself and refuses the
# word. Once kubernetes.core knows Helm 4, this can go.
_ADAPTER = """#!/bin/sh
# Helm 4 for kubernetes.core 6.2, which was written for Helm 3: takes the word --all out.
for word; do
  shift
  [ "$word" = --all ] || set -- "$@" "$word"
done
exec {helm} "$@"
"""


@dataclass(frozen=True)
class Wanted:
    """A release that is wanted; `chart` is the path of its archive, None for a release that is not wanted."""

    name: str
    namespace: str
    chart: str | None
    values: Mapping[str, Any]
    wait: bool
    seconds: int

    @property
    def all_values(self) -> dict[str, Any]:
        """The values, and the digest of the chart."""
        own = {"chartSha256": sha256(Path(self.chart))} if self.chart else {}
        return {**self.values, "global": {**self.values.get("global", {}), **own}}


@dataclass(frozen=True)
class Found:
    """A release as Helm knows it; status is `deployed`, `failed`, `pending-install`, ..."""

    status: str
    values: Mapping[str, Any]
    manifest: str


def plan(found: Found | None, wanted: Wanted) -> list[dict[str, Any]]:
    """The calls of kubernetes.core.helm that make the release as wanted, as their options; none when it is.

    A release that a failed or killed run left half-done is taken away first: Helm refuses to go on with one.
    """
    release = {"release_name": wanted.name, "release_namespace": wanted.namespace}
    gone = {**release, "release_state": "absent", "wait": True, "wait_timeout": f"{wanted.seconds}s"}
    if wanted.chart is None:
        return [gone] if found else []
    values = wanted.all_values
    there = {
        **release,
        "chart_ref": wanted.chart,
        "release_values": values,
        "skip_crds": True,
        "create_namespace": True,
        "wait": wanted.wait,
        "timeout": f"{wanted.seconds}s",
    }
    if found is None:
        return [there]
    if found.status != _DEPLOYED:
        return [gone, there]
    return [there] if found.values != values else []


class Helm:
    """Helm at work on one cluster."""

    def __init__(self, program: str, kubeconfig: str, context: str | None) -> None:
        self._program = program
        self._cluster = ["--kubeconfig", kubeconfig, *(["--kube-context", context] if context else [])]

    def find(self, wanted: Wanted) -> Found | None:
        """The release of the wanted one's name; None without one."""
        where = ["--namespace", wanted.namespace, *self._cluster]
        done = self._run("status", wanted.name, "--output", "json", *where)
        if done.returncode and _NOT_FOUND in done.stderr:
            return None
        status = json.loads(_output(done, f"Ask Helm for the release {wanted.name}"))
        return Found(status["info"]["status"], status.get("config") or {}, status.get("manifest") or "")

    def render(self, wanted: Wanted, kubernetes: str) -> str:
        """The manifest that the wanted release would have on a Kubernetes of that version; "" for one not wanted."""
        if wanted.chart is None:
            return ""
        # A release's manifest has no hooks either.
        options = ["--namespace", wanted.namespace, "--kube-version", kubernetes, "--no-hooks", "--values", "-"]
        values = json.dumps(wanted.all_values)
        done = self._run("template", wanted.name, wanted.chart, *options, given=values)
        return _output(done, f"Render the chart {wanted.chart}")

    def adapt(self, path: Path) -> None:
        """Write the program that kubernetes.core can call as its Helm."""
        write_whole(path, _ADAPTER.format(helm=shlex.quote(self._program)), 0o700)

    def _run(self, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [self._program, *words]
        try:
            return subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS, input=given)
        except (OSError, subprocess.SubprocessError) as error:
            raise LabError(attempted=f"Run {' '.join(command[:3])}", seen=str(error)) from error


def _output(done: subprocess.CompletedProcess[str], attempted: str) -> str:
    if done.returncode:
        raise LabError(attempted=attempted, seen=done.stderr.strip() or f"Helm ended with {done.returncode}")
    return done.stdout


def difference(before: str, after: str) -> dict[str, Any]:
    """Before and after of the objects that differ between two manifests, in the form of Ansible's diff."""
    old, new = _objects(before), _objects(after)
    changes = [Change(Manifest(new.get(key) or old[key]), old.get(key), new.get(key)) for key in {**old, **new}]
    shown: dict[str, Any] = result(changes)["diff"]
    return shown


def _objects(manifest: str) -> dict[tuple[str, str, str], Object]:
    bodies = [body for body in yaml.safe_load_all(manifest) if body]
    return {(body["kind"], str(body["metadata"].get("namespace")), body["metadata"]["name"]): body for body in bodies}
