# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Kubernetes objects as given: applied in an order that works, or deleted in the reverse order and waited for.

`present` applies each object server-side and compares it before and after; with dry_run the API server computes the
same without keeping it. An object whose kind or namespace does not exist yet counts as one to be created then.
Raises LabError when an object is refused or does not become what is waited for in time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from ansible_collections.edgelab.akri.plugins.module_utils._kube import ApiError, Cluster, LabError, Object
from ansible_collections.edgelab.akri.plugins.module_utils._manifests_model import CRD, Change, Manifest, stages
from ansible_collections.edgelab.akri.plugins.module_utils._manifests_ready import KINDS, hindrances, missing, selector

_KIND_POLL = 0.1


@dataclass(frozen=True)
class Options:
    """How objects are applied or deleted; timeout in seconds, for the whole call."""

    field_manager: str
    force: bool
    wait_established: bool
    recreate: bool
    timeout: float
    dry_run: bool
    wait_ready: bool = False


def present(cluster: Cluster, manifests: Sequence[Manifest], options: Options) -> list[Change]:
    """Make sure that every object is as given; returns one change per object, in the order applied."""
    deadline = time.monotonic() + options.timeout
    changes: list[Change] = []
    for stage in stages(manifests):
        changes += [_apply(cluster, manifest, options, deadline) for manifest in stage]
        if stage[0].kind == CRD and options.wait_established and not options.dry_run:
            for manifest in stage:
                _wait_established(cluster, manifest, deadline)
    if options.wait_ready and not options.dry_run:
        for manifest in manifests:
            if manifest.kind in KINDS:
                _wait_ready(cluster, manifest, deadline)
    return changes


def refuse_beside(cluster: Cluster, conflicts: Sequence[Manifest], manifests: Sequence[Manifest], remedy: str) -> None:
    """Raise LabError while one of some objects is there, which belong to what these manifests would not work beside."""
    there = [manifest.title for manifest in conflicts if _found(cluster, manifest)]
    if there:
        raise LabError(
            attempted=f"Apply {', '.join(manifest.title for manifest in manifests)}",
            seen=f"{', '.join(there)}: it belongs to what these would not work beside. Nothing was applied",
            remedy=remedy,
        )


def absent(cluster: Cluster, manifests: Sequence[Manifest], options: Options) -> list[Change]:
    """Make sure that none of the objects is there; returns one change per object, in the order deleted."""
    deadline = time.monotonic() + options.timeout
    changes: list[Change] = []
    for stage in reversed(stages(manifests)):
        found = [Change(item, _found(cluster, item), None) for item in reversed(stage)]
        changes += found
        there = [change for change in found if change.before]
        if not options.dry_run:
            _delete(cluster, [inside for change in there for inside in _contents(cluster, change)], deadline)
            _delete(cluster, there, deadline)
    return changes


def _contents(cluster: Cluster, change: Change) -> list[Change]:
    """The objects of a kind whose definition goes: deleted before it, so that an error can name the one that stays."""
    if change.manifest.kind != CRD or change.before is None:
        return []
    spec = change.before["spec"]
    version = next(version["name"] for version in spec["versions"] if version["served"])
    bodies = cluster.find_all(f"{spec['group']}/{version}", spec["names"]["kind"])
    return [Change(Manifest(body), body, None) for body in bodies]


def _found(cluster: Cluster, manifest: Manifest) -> Object | None:
    return cluster.get(manifest.api_version, manifest.kind, manifest.name, manifest.namespace)


def _delete(cluster: Cluster, changes: Sequence[Change], deadline: float) -> None:
    for change in changes:
        cluster.delete(_path(cluster, change.manifest), uid=_uid(change))
    for change in changes:
        _wait_gone(cluster, change, deadline)


def _apply(cluster: Cluster, manifest: Manifest, options: Options, deadline: float) -> Change:
    if options.dry_run and not cluster.kind(manifest.api_version, manifest.kind):
        return Change(manifest, None, manifest.body)
    path = _path(cluster, manifest)
    before = cluster.find(path)
    try:
        return Change(manifest, before, _patch(cluster, path, manifest, options))
    except ApiError as error:
        if options.dry_run and error.code == HTTPStatus.NOT_FOUND:  # its namespace would have been made by now
            return Change(manifest, None, manifest.body)
        if not (options.recreate and before and error.code == HTTPStatus.UNPROCESSABLE_ENTITY):
            raise
    if options.dry_run:
        return Change(manifest, before, manifest.body)
    _delete(cluster, [Change(manifest, before, None)], deadline)
    return Change(manifest, before, _patch(cluster, path, manifest, options))


def _patch(cluster: Cluster, path: str, manifest: Manifest, options: Options) -> Object:
    return cluster.apply(
        path,
        manifest.body,
        field_manager=options.field_manager,
        force=options.force,
        dry_run=options.dry_run,
    )


def _path(cluster: Cluster, manifest: Manifest) -> str:
    served = cluster.kind(manifest.api_version, manifest.kind)
    if served is None:
        raise LabError(
            attempted=f"Reach {manifest.title}",
            seen=f"The API server does not serve {manifest.kind} of {manifest.api_version}",
            cause="Its CustomResourceDefinition is not there, or the kind or version is misspelt",
            remedy="Give the CustomResourceDefinition in the same call or before",
        )
    return served.path(manifest.namespace, manifest.name)


def _uid(change: Change) -> str:
    return str((change.before or {})["metadata"]["uid"])


def _wait_established(cluster: Cluster, manifest: Manifest, deadline: float) -> None:
    found: Object = {}
    for objects in _follow(cluster, manifest, deadline):
        found = next(iter(objects), {})
        if _is_established(found):
            break
    else:
        raise LabError(
            attempted=f"Wait until {manifest.title} is established",
            seen=f"Its conditions are {_conditions(found)}",
            remedy="Look at it with kubectl describe, or give more time with the option timeout",
        )
    _wait_served(cluster, found["spec"], deadline)


def _wait_ready(cluster: Cluster, manifest: Manifest, deadline: float) -> None:
    found: Object = {}
    for objects in _follow(cluster, manifest, deadline):
        found = next(iter(objects), {})
        if found and not missing(found):
            return
    pods = cluster.find_all("v1", "Pod", manifest.namespace, labelSelector=selector(found)) if found else []
    raise LabError(
        attempted=f"Wait until the Pods of {manifest.title} are ready",
        seen=missing(found) if found else "It is gone",
        cause=hindrances(pods),
        remedy="Look at its Pods with kubectl describe, or give more time with the option timeout",
    )


def _wait_served(cluster: Cluster, spec: Object, deadline: float) -> None:
    # Discovery follows the condition Established by some milliseconds.
    kind, group = spec["names"]["kind"], spec["group"]
    for version in (version["name"] for version in spec["versions"] if version["served"]):
        while not cluster.kind(f"{group}/{version}", kind):
            if time.monotonic() >= deadline:
                raise LabError(
                    attempted=f"Wait until the API server serves {kind} of {group}/{version}",
                    seen="Its CustomResourceDefinition is established, but discovery does not list it",
                )
            time.sleep(_KIND_POLL)


def _is_established(body: Object) -> bool:
    return any(one["type"] == "Established" and one["status"] == "True" for one in _conditions(body))


def _conditions(body: Object) -> list[Object]:
    conditions: list[Object] = (body.get("status") or {}).get("conditions") or []  # null at first
    return conditions


def _wait_gone(cluster: Cluster, change: Change, deadline: float) -> None:
    left: Object = {}
    for objects in _follow(cluster, change.manifest, deadline):
        same = [body for body in objects if body["metadata"]["uid"] == _uid(change)]
        if not same:
            return
        left = same[0]["metadata"]
    held = ", ".join(left.get("finalizers", [])) or "none"
    raise LabError(
        attempted=f"Delete {change.manifest.title}",
        seen=f"It is still there; finalizers: {held}",
        cause="Whoever has to remove these finalizers does not run" if left.get("finalizers") else "",
        remedy="Start that process, or give more time with the option timeout",
    )


def _follow(cluster: Cluster, manifest: Manifest, deadline: float) -> Iterator[list[Object]]:
    return cluster.follow(
        manifest.api_version,
        manifest.kind,
        manifest.namespace,
        seconds=max(0.0, deadline - time.monotonic()),
        fieldSelector=f"metadata.name={manifest.name}",
    )
