# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""OpenShift's SecurityContextConstraints as given, by OpenShift's own client.

What has to change is decided by that client's three-way comparison, as `oc apply` does it: fields that OpenShift fills
in are left alone, fields that we gave once and give no more are removed. Raises LabError for what OpenShift refuses.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._kube import Cluster, LabError, Object
from ansible_collections.edgelab.akri.plugins.module_utils._manifests_model import Change, Manifest, result

MISSING: list[str] = []
"""What the Python that runs this module lacks; only a cluster of OpenShift's needs it."""

try:
    from kubernetes.config import new_client_from_config
    from openshift.dynamic import DynamicClient
    from openshift.dynamic.apply import LAST_APPLIED_CONFIG_ANNOTATION, apply_object
    from openshift.dynamic.exceptions import DynamicApiError, NotFoundError
except ImportError:
    MISSING.append("openshift")

API_VERSION, KIND = "security.openshift.io/v1", "SecurityContextConstraints"


def is_served(cluster: Cluster) -> bool:
    """Whether the cluster is OpenShift's, that is, has SecurityContextConstraints."""
    return cluster.kind(API_VERSION, KIND) is not None


@contextmanager
def constraints(kubeconfig: str, context: str | None) -> Iterator[Any]:
    """OpenShift's client for the kind. What the client finds out about the API server is kept nowhere."""
    with tempfile.TemporaryDirectory() as directory:
        client = new_client_from_config(kubeconfig, context, persist_config=False)
        dynamic = DynamicClient(client, cache_file=str(Path(directory) / "discovery.json"))
        try:
            yield dynamic.resources.get(api_version=API_VERSION, kind=KIND)
        except DynamicApiError as error:
            raise LabError(attempted=f"Keep {KIND}", seen=_reason(error)) from error


def _reason(error: DynamicApiError) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, LookupError, TypeError):
        return str(error.summary())


def present(resource: Any, definitions: Sequence[Mapping[str, Any]], *, dry_run: bool) -> dict[str, Any]:
    """Make the constraints as given; returns the module's result."""
    return result([_apply(resource, _whole(definition), dry_run=dry_run) for definition in definitions])


def absent(resource: Any, definitions: Sequence[Mapping[str, Any]], *, dry_run: bool) -> dict[str, Any]:
    """Make sure that there are no constraints of these names; returns the module's result."""
    changes = [Change(Manifest(body), _find(resource, body), None) for body in map(_whole, definitions)]
    for change in changes:
        if change.before and not dry_run:
            resource.delete(name=change.manifest.name)
    return result(changes)


def _apply(resource: Any, body: Object, *, dry_run: bool) -> Change:
    before, patch = apply_object(resource, body)
    change = Change(Manifest(body), _shown(before), _shown(_merged(before or {}, patch)))
    # The client's patch has every list in it, changed or not.
    if change.action == "none" or dry_run:
        return change
    return Change(change.manifest, change.before, _shown(resource.apply(body=body).to_dict()))


def _merged(value: Object, patch: Mapping[str, Any]) -> Object:
    """A value after a JSON merge patch (RFC 7396)."""
    merged = {key: part for key, part in value.items() if key not in patch}
    for key, part in patch.items():
        if isinstance(part, Mapping):
            merged[key] = _merged(value[key] if isinstance(value.get(key), Mapping) else {}, part)
        elif part is not None:
            merged[key] = part
    return merged


def _shown(body: Object | None) -> Object | None:
    """An object without the client's note of what was given, which says everything twice."""
    if body is None:
        return None
    notes = body["metadata"].get("annotations") or {}
    kept = {name: text for name, text in notes.items() if name != LAST_APPLIED_CONFIG_ANNOTATION}
    return {**body, "metadata": {**body["metadata"], "annotations": kept}}


def _find(resource: Any, body: Object) -> Object | None:
    try:
        found: Object = resource.get(name=body["metadata"]["name"]).to_dict()
    except NotFoundError:
        return None
    return found


def _whole(definition: Mapping[str, Any]) -> Object:
    return {"apiVersion": API_VERSION, "kind": KIND, **definition}
