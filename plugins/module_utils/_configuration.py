# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""An Akri Configuration as given: created, changed in place, created anew, or removed and waited for.

`render` turns options into the object, `must_recreate` decides; `_manifests` writes. Raises LabError for values that a
Configuration cannot hold, and when a deletion does not come to its end (it then names the finalizers that are left).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._kube import Cluster, LabError, Object
from ansible_collections.edgelab.akri.plugins.module_utils._manifests import Options, absent, present
from ansible_collections.edgelab.akri.plugins.module_utils._manifests_model import Change, Manifest, result

with contextlib.suppress(ImportError):  # _kube names what is missing
    import yaml

_FIELD_MANAGER = "edgelab"
_OF_BROKERS = ("brokerSpec", "brokerProperties", "instanceServiceSpec", "configurationServiceSpec")
_OPTIONAL = {"instance_service_spec": "instanceServiceSpec", "configuration_service_spec": "configurationServiceSpec"}


def render(params: Mapping[str, Any]) -> Object:
    """The Configuration that a module's options describe; what was not given is left out."""
    handler: Object = {"name": params["handler"], "discoveryDetails": details_text(params["details"])}
    if params["discovery_properties"]:
        handler["discoveryProperties"] = params["discovery_properties"]
    spec: Object = {
        "discoveryHandler": handler,
        "capacity": params["capacity"],
        "brokerProperties": _strings(params["broker_properties"]),
    }
    brokers = {"brokerPodSpec": params["broker_pod_spec"], "brokerJobSpec": params["broker_job_spec"]}
    if any(brokers.values()):
        spec["brokerSpec"] = {key: value for key, value in brokers.items() if value}
    spec |= {key: params[option] for option, key in _OPTIONAL.items() if params[option]}
    return {**identity(params), "spec": spec}


def identity(params: Mapping[str, Any]) -> Object:
    """The object without its spec, which is enough to remove it."""
    metadata = {"name": params["name"], "namespace": params["namespace"]}
    return {"apiVersion": "akri.sh/v0", "kind": "Configuration", "metadata": metadata}


def details_text(details: Any) -> str:
    """Discovery details as the text that handlers read: as given, or YAML made of a structure."""
    if details is None:
        return ""
    return details if isinstance(details, str) else str(yaml.safe_dump(details, sort_keys=False))


def _strings(properties: Mapping[str, Any]) -> dict[str, str]:
    wrong = sorted(key for key, value in properties.items() if not isinstance(value, str))
    if wrong:
        raise LabError(
            attempted="Read the broker properties",
            seen=f"These are no strings: {', '.join(wrong)}",
            cause="They become environment variables, and YAML reads yes, 1 and 1.0 as something else than text",
            remedy="Put the values in quotes",
        )
    return dict(properties)


@dataclass(frozen=True)
class Recreation:
    """Which changes make a Configuration be created anew: those of its discovery part, those of its brokers."""

    discovery: bool
    brokers: bool


def must_recreate(found: Object, wanted: Object, anew: Recreation) -> bool:
    """Whether only a new Configuration makes Akri look again.

    Akri's agent (0.13.26) does not read the discovery part of a Configuration a second time, and its controller leaves
    brokers and Services as they were made. Details that differ as text but say the same need no new one, and one that
    is being deleted has to go first in any case.
    """
    if found["metadata"].get("deletionTimestamp"):
        return anew.discovery or anew.brokers
    discovery = anew.discovery and _discovery(found) != _discovery(wanted)
    return discovery or (anew.brokers and _brokers(found) != _brokers(wanted))


def _brokers(body: Object) -> list[Any]:
    return [body.get("spec", {}).get(key) or None for key in _OF_BROKERS]


def _discovery(body: Object) -> tuple[Any, Any, Any]:
    handler = body.get("spec", {}).get("discoveryHandler") or {}
    properties = handler.get("discoveryProperties") or []
    return handler.get("name"), _parsed(handler.get("discoveryDetails") or ""), properties


def _parsed(details: str) -> Any:
    try:
        return yaml.safe_load(details)
    except yaml.YAMLError:
        return details


def ensure(cluster: Cluster, wanted: Object, anew: Recreation, *, timeout: float, dry_run: bool) -> dict[str, Any]:
    """Make sure that the Configuration is as wanted; returns the module's result."""
    manifest, deadline = Manifest(wanted), time.monotonic() + timeout
    before = cluster.get(manifest.api_version, manifest.kind, manifest.name, manifest.namespace)
    recreate = before is not None and must_recreate(before, wanted, anew)
    if recreate and not dry_run:
        absent(cluster, [manifest], _options(timeout, dry_run=False))
    change = present(cluster, [manifest], _options(max(0.0, deadline - time.monotonic()), dry_run=dry_run))[0]
    return _told(Change(manifest, before, change.after), "recreated" if recreate else "")


def remove(cluster: Cluster, wanted: Object, *, timeout: float, dry_run: bool) -> dict[str, Any]:
    """Make sure that the Configuration is gone."""
    return _told(absent(cluster, [Manifest(wanted)], _options(timeout, dry_run=dry_run))[0])


def _options(timeout: float, *, dry_run: bool) -> Options:
    return Options(
        field_manager=_FIELD_MANAGER,
        force=True,
        wait_established=False,
        recreate=False,
        timeout=timeout,
        dry_run=dry_run,
    )


def _told(change: Change, action: str = "") -> dict[str, Any]:
    told = result([change])
    (identity_told,) = told.pop("objects")
    return {**told, "action": action or identity_told["action"], "uid": identity_told["uid"]}
