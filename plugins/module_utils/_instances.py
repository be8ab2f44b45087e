# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Looks at the Instances of a Configuration and waits, by watches, until they and their brokers are as wanted.

Changes nothing. Raises StoppedError when that does not come true in time, or at once when waiting cannot help; it says
where the chain stopped, as text and as data.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._instances_chain import Stop, stop
from ansible_collections.edgelab.akri.plugins.module_utils._instances_model import (
    CONFIGURATION_LABEL,
    DOMAIN,
    INSTANCE_LABEL,
    Report,
    Seen,
    Wanted,
    broker_at,
    label,
    name,
    places,
    report,
    requests,
)
from ansible_collections.edgelab.akri.plugins.module_utils._instances_watch import Source, together
from ansible_collections.edgelab.akri.plugins.module_utils._kube import ApiError, Cluster, LabError, Object

with contextlib.suppress(ImportError):  # _kube names what is missing
    from edgelab.core import names
    from edgelab.service.status import ask

_AKRI = "akri.sh/v0"
_LOG_TAIL = 5
_LOG_PAUSE = 0.5


@dataclass(frozen=True)
class Scope:
    """Whose Instances: those of one Configuration, or (empty) all of a namespace; the agent to ask, if it is ours."""

    namespace: str
    configuration: str = ""
    run_dir: str = ""


class StoppedError(LabError):
    """What was waited for did not come; `details` says the same as data."""

    def __init__(self, wanted: Wanted, scope: Scope, found: Stop, details: Mapping[str, Any]) -> None:
        super().__init__(
            attempted=f"Wait for {wanted} of the Configuration {scope.namespace}/{scope.configuration}",
            seen=f"Stopped at: {found.at}. {found.seen}",
            remedy=found.remedy,
        )
        self.details = {**details, "stopped_at": found.at, "seen": found.seen}


def instance_names(configuration: str, devices: Sequence[str]) -> tuple[str, ...]:
    """Names of the Instances of shared devices, by the devices' ids."""
    return tuple(names.instance(configuration, names.digest(device, shared=True)) for device in devices)


def observe(cluster: Cluster, scope: Scope, wanted: Wanted, *, timeout: float) -> Report:
    """What there is, once it is as wanted. timeout in seconds; 0 takes what is there without a wait."""
    deadline = time.monotonic() + timeout
    seen, found = _wait(cluster, scope, wanted, timeout)
    seen = _with_surroundings(cluster, scope, seen)
    if found and wanted.is_anything and timeout:
        found = stop(wanted, seen, None if found.hopeless else _handlers(scope)) or found
        raise StoppedError(wanted, scope, _with_log(cluster, seen, found), report(seen, {}).as_result())
    lines: dict[str, str] = {}
    if wanted.broker_log and not found:
        lines = _wait_for_lines(cluster, scope, wanted, seen, deadline)
    return report(seen, lines)


def _wait(cluster: Cluster, scope: Scope, wanted: Wanted, timeout: float) -> tuple[Seen, Stop | None]:
    seen, found = Seen(), None
    for now in together(_sources(cluster, scope, timeout), seconds=timeout):
        seen = _gathered(scope, now)
        found = stop(wanted, seen, None)
        if found is None or found.hopeless or not wanted.is_anything:
            break
    return seen, found


def _sources(cluster: Cluster, scope: Scope, seconds: float) -> dict[str, Source]:
    def source(api_version: str, kind: str, **selectors: str) -> Source:
        return lambda: cluster.follow(api_version, kind, scope.namespace, seconds=seconds, **selectors)

    everything = {"instances": source(_AKRI, "Instance"), "pods": source("v1", "Pod")}
    if not scope.configuration:
        return everything
    about = f"involvedObject.kind=Configuration,involvedObject.name={scope.configuration}"
    return {
        **everything,
        "configurations": source(_AKRI, "Configuration", fieldSelector=f"metadata.name={scope.configuration}"),
        "events": source("v1", "Event", fieldSelector=about),
    }


def _gathered(scope: Scope, now: Mapping[str, Sequence[Object]]) -> Seen:
    ours = [
        body
        for body in now["instances"]
        if not scope.configuration or body["spec"].get("configurationName") == scope.configuration
    ]
    return Seen(
        configuration=next(iter(now.get("configurations", ())), None),
        instances=[body for body in ours if not body["metadata"].get("deletionTimestamp")],
        pods=[body for body in now["pods"] if _concerns(scope, body, [name(instance) for instance in ours])],
        events=now.get("events", ()),
    )


def _concerns(scope: Scope, pod: Object, instances: Sequence[str]) -> bool:
    if not scope.configuration or label(pod, CONFIGURATION_LABEL) == scope.configuration:
        return True
    ours = {f"{DOMAIN}{resource}" for resource in (scope.configuration, *instances)}
    return not ours.isdisjoint(requests(pod))


def _with_surroundings(cluster: Cluster, scope: Scope, seen: Seen) -> Seen:
    wanted = {node for body in seen.instances for node in body["spec"].get("nodes") or ()}
    instances = {name(body) for body in seen.instances}
    services = [
        body
        for body in cluster.find_all("v1", "Service", scope.namespace, labelSelector="controller=akri.sh")
        if label(body, INSTANCE_LABEL) in instances or scope.configuration in ("", label(body, CONFIGURATION_LABEL))
    ]
    nodes = [body for body in cluster.find_all("v1", "Node") if name(body) in wanted] if wanted else []
    about = cluster.find_all("v1", "Event", scope.namespace, fieldSelector="involvedObject.kind=Instance,type=Warning")
    return replace(seen, nodes=nodes, services=services, events=[*seen.events, *about])


def _handlers(scope: Scope) -> Sequence[Mapping[str, Any]] | None:
    if not scope.run_dir:
        return None
    try:
        handlers: Sequence[Mapping[str, Any]] = ask(Path(scope.run_dir) / "agent.sock")["handlers"]
    except (OSError, LabError, KeyError):
        return None
    return handlers


def _with_log(cluster: Cluster, seen: Seen, found: Stop) -> Stop:
    """A crash with the last lines that the crashed container wrote."""
    pod = next((body for body in seen.pods if f" {name(body)}:" in found.seen), None)
    if found.at != "crash" or pod is None:
        return found
    for previous in ("false", "true"):
        with contextlib.suppress(ApiError):
            last = cluster.text(_log_path(pod), tailLines=str(_LOG_TAIL), previous=previous).strip()
            if last:
                return replace(found, seen=f"{found.seen}. Its log ends with: {last}")
    return found


def _wait_for_lines(cluster: Cluster, scope: Scope, wanted: Wanted, seen: Seen, deadline: float) -> dict[str, str]:
    """The line of each broker's log that matches, by the Pod's name; raises StoppedError for one without."""
    found: dict[str, str] = {}
    for pod in filter(None, (broker_at(seen.pods, place) for place in places(seen))):
        lines = _read_until(cluster, pod, wanted.broker_log, deadline)
        if not lines or not re.search(wanted.broker_log, lines[-1]):
            said = "; ".join(lines[-_LOG_TAIL:]) or "nothing"
            stopped = Stop("log", f"The log of {name(pod)} says {said}", f"kubectl logs {name(pod)}")
            raise StoppedError(wanted, scope, stopped, report(seen, found).as_result())
        found[name(pod)] = lines[-1]
    return found


def _read_until(cluster: Cluster, pod: Object, pattern: str, deadline: float) -> list[str]:
    """Lines of a Pod's log as they come, up to the first that matches, or until the time is over.

    A stream that ends before, because the container or the connection did, is opened again while the Pod goes on.
    """
    while True:
        lines: list[str] = []
        for line in cluster.lines(_log_path(pod), seconds=max(0.1, deadline - time.monotonic()), follow="true"):
            lines.append(line)
            if re.search(pattern, line):
                return lines
        if time.monotonic() + _LOG_PAUSE > deadline or not _goes_on(cluster, pod):
            return lines
        time.sleep(_LOG_PAUSE)


def _goes_on(cluster: Cluster, pod: Object) -> bool:
    now = cluster.get("v1", "Pod", name(pod), pod["metadata"]["namespace"])
    return now is not None and now["status"].get("phase") not in ("Succeeded", "Failed")


def _log_path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{name(pod)}/log"
