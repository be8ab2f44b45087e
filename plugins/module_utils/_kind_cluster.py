# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A Kind cluster as given, or gone: looks, has `_kind_model` decide, then carries that out.

Interrupted at any point, the next run finds the half-made cluster by its missing record and makes it anew. Raises
LabError with what is in the way.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole
from ansible_collections.edgelab.akri.plugins.module_utils._kind_engine import Engine
from ansible_collections.edgelab.akri.plugins.module_utils._kind_kubeconfig import Files, has_entries
from ansible_collections.edgelab.akri.plugins.module_utils._kind_model import Found, Plan, Wanted, decide
from ansible_collections.edgelab.akri.plugins.module_utils._kind_preflight import check, look
from ansible_collections.edgelab.akri.plugins.module_utils._kind_tool import Kind

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

_POLL = 1.0


@dataclass(frozen=True)
class Place:
    """What works on a cluster: kind, the engine and what it says of itself, and the files.

    `network_record` notes which of the engine's networks came into being for a cluster of ours.
    """

    kind: Kind
    engine: Engine
    about: Mapping[str, Any]
    files: Files
    network_record: Path | None


def located(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration whose host paths are those that an engine tells: absolute and without symbolic links."""
    nodes = [{**node, "extraMounts": _located(node)} for node in config.get("nodes") or []]
    return {**config, "nodes": nodes}


def _located(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    paths = [(mount, Path(mount["hostPath"]).expanduser().resolve()) for mount in node.get("extraMounts") or []]
    return [{**mount, "hostPath": str(path)} for mount, path in paths]


def present(place: Place, wanted: Wanted, *, recreate: bool, dry_run: bool) -> dict[str, Any]:
    """Make sure of the cluster; returns the module's result."""
    found = place.engine.cluster(wanted.name)
    plan = decide(wanted, found, recreate=recreate)
    warnings = []
    if plan.step == "create":
        machine = look(place.engine.name, place.about, wanted.config)
        warnings = check(place.engine.name, place.about, wanted.config, machine)
    if not dry_run and plan.step != "keep":
        _carry_out(place, wanted, found, plan)
        found = place.engine.cluster(wanted.name)
    outdated = _kubeconfigs(place, wanted.name, plan, dry_run=dry_run)
    return {
        "changed": plan.step != "keep" or bool(outdated),
        "step": plan.step,
        "warnings": warnings,
        "diff": _diff(plan, outdated, wanted.name),
        **_facts(place.engine, wanted, found),
    }


def absent(place: Place, name: str, *, dry_run: bool) -> dict[str, Any]:
    """Make sure that nothing of the cluster is left; returns the module's result."""
    nodes = sorted(node.name for node in place.engine.cluster(name).nodes)
    merged = place.files.merged
    entries = bool(merged and has_entries(merged, f"kind-{name}"))
    left = [*nodes, *([str(merged)] if entries else []), *map(str, place.files.there)]
    if not dry_run:
        if nodes or entries:
            place.kind.delete(name, merged)
        left += place.engine.remove_volumes(name)
        left += _remove_our_network(place)
        for path in place.files.there:
            path.unlink()
    before = {"nodes": nodes, "files": [one for one in left if one.startswith("/")]}
    return {"changed": bool(left), "diff": {"before": before, "after": {"nodes": [], "files": []}}}


def _carry_out(place: Place, wanted: Wanted, found: Found, plan: Plan) -> None:
    if plan.step == "replace":
        place.kind.delete(wanted.name, None)
        place.engine.remove_volumes(wanted.name)
    if plan.step in ("create", "replace"):
        _create(place, wanted)
    if plan.step == "start":
        place.engine.start([node.name for node in found.nodes if not node.running])
        _wait_ready(place, wanted)


def _create(place: Place, wanted: Wanted) -> None:
    for node in wanted.nodes:
        for mount in node.mounts:
            # An engine would make them as root's, or fail.
            Path(mount.source).mkdir(mode=0o700, parents=True, exist_ok=True)
    had_network, _gateway = place.engine.network()
    try:
        place.kind.create(wanted)
    finally:
        made, _gateway = place.engine.network()
        if made and not had_network and place.network_record:
            write_whole(place.network_record, json.dumps({"engine": place.engine.name, "id": made}) + "\n", 0o644)
    _wait_ready(place, wanted)
    place.engine.note(_first(place, wanted), wanted.record)


def _wait_ready(place: Place, wanted: Wanted) -> None:
    deadline = time.monotonic() + place.kind.seconds
    ask = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "--raw", "/readyz")
    while (done := place.engine.execute(_first(place, wanted), *ask)).status:
        if time.monotonic() > deadline:
            raise LabError(
                attempted=f"Wait until the API server of the Kind cluster {wanted.name} is ready",
                seen=f"It is not after {place.kind.seconds:.0f} s: {done.error.strip() or done.text.strip()}",
                remedy="See whether the machine is overloaded; else make the cluster anew: -e kind_host_recreate=true",
            )
        time.sleep(_POLL)


def _kubeconfigs(place: Place, name: str, plan: Plan, *, dry_run: bool) -> list[Path]:
    """Bring the kubeconfigs up to date; returns which were not."""
    every = [path for path in (place.files.kubeconfig, place.files.authority, place.files.merged) if path]
    if dry_run and (plan.step != "keep" or not place.kind.is_there):
        # Only a running cluster tells its kubeconfig, which a new one has anew and others have kept.
        return every if plan.step in ("create", "replace") else []
    kubeconfig = place.kind.kubeconfig(name)
    outdated = place.files.outdated(kubeconfig)
    if not dry_run:
        place.files.write(kubeconfig)
        if place.files.merged in outdated and place.files.merged:
            place.kind.merge(name, place.files.merged)
    return outdated


def _remove_our_network(place: Place) -> list[str]:
    """The network goes with the last cluster, if one of ours had it made."""
    record = place.network_record
    if not record or not record.exists():
        return []
    noted = json.loads(record.read_text())
    current, _gateway = place.engine.network()
    if noted["engine"] != place.engine.name or noted["id"] != current:
        record.unlink()
        return []
    place.engine.remove_network()
    if place.engine.network()[0]:
        return []
    record.unlink()
    return ["network kind"]


def _facts(engine: Engine, wanted: Wanted, found: Found) -> dict[str, Any]:
    names = [node.name for node in wanted.nodes]
    return {
        "engine": engine.name,
        "nodes": names,
        "gateway": engine.network()[1],
        "node_command": [engine.name, "exec", Engine.first(names)],
        "server_version": found.version,
    }


def _diff(plan: Plan, outdated: list[Path], name: str) -> dict[str, Any]:
    before = {one.what: one.found for one in plan.differences}
    after = {one.what: one.wanted for one in plan.differences}
    if plan.step == "create":
        after[f"cluster {name}"] = "there"
        before[f"cluster {name}"] = "not there"
    for path in outdated:
        before[str(path)], after[str(path)] = "not up to date", "up to date"
    return {"before": before, "after": after}


def _first(place: Place, wanted: Wanted) -> str:
    return place.engine.first(node.name for node in wanted.nodes)
