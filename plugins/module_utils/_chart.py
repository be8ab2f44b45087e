# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Which values a Helm chart reads, and what is wrong with values that a user gives it. Pure.

Helm ignores a value that no template reads, so a misspelt or outdated one seems to work. Here it is refused, with what
took its place where Akri's history tells (values of Akri 0.0.36 to 0.13.26), and else with the nearest name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]

_READ = re.compile(r"\.Values((?:\.[A-Za-z_]\w*)+)")
_OTHERS = ("global",)  # Helm's own: it hands these to every chart

_HANDLERS = ("debugEcho", "udev", "onvif", "opcua")
_MOVED = {
    "name": "configuration.name",
    "properties": "configuration.brokerProperties",
    "capacity": "configuration.capacity",
    "shared": "configuration.shared",
    "brokerPod": "configuration.brokerPod",
    "createInstanceServices": "configuration.createInstanceServices",
    "instanceService": "configuration.instanceService",
    "createConfigurationService": "configuration.createConfigurationService",
    "configurationService": "configuration.configurationService",
    "udevRules": "configuration.discoveryDetails.udevRules",
    "descriptions": "configuration.discoveryDetails.descriptions",
    "ipAddresses": "configuration.discoveryDetails.ipAddresses",
    "macAddresses": "configuration.discoveryDetails.macAddresses",
    "scopes": "configuration.discoveryDetails.scopes",
    "discoveryTimeoutSeconds": "configuration.discoveryDetails.discoveryTimeoutSeconds",
    "discoveryUrls": "configuration.discoveryDetails.discoveryUrls",
    "applicationNames": "configuration.discoveryDetails.applicationNames",
}
_RUNTIME = "agent.host.kubeletPodResources: since 0.13 the agent asks the kubelet what runs, not the container runtime"
_LINUX = "nothing: Akri runs on Linux nodes alone since 0.12, and nodeSelectors chooses among these"

GONE: dict[str, str] = {
    "agent.host.crictl": _RUNTIME,
    "agent.host.dockerShimSock": _RUNTIME,
    "agent.host.containerRuntimeSocket": _RUNTIME,
    "kubernetesDistro": (
        "agent.host.kubeletDevicePlugins and agent.host.kubeletPodResources: "
        "since 0.13 distributions differ in the kubelet's directory alone"
    ),
    "agent.linuxOnly": _LINUX,
    "controller.linuxOnly": _LINUX,
    "webhookConfiguration.linuxOnly": _LINUX,
    "controller.onlyOnMaster": "controller.onlyOnControlPlane",
    "udevVideo": "udev.configuration and udev.discovery",
    "onvifVideo": "onvif.configuration and onvif.discovery",
    **{
        f"{handler}.enabled": f"{handler}.configuration.enabled, and {handler}.discovery.enabled for its handler"
        for handler in _HANDLERS
    },
    **{f"{handler}.{old}": f"{handler}.{new}" for handler in _HANDLERS for old, new in _MOVED.items()},
}
"""Values that Akri's chart had once, and what took their place."""


@dataclass(frozen=True)
class Readings:
    """What a chart reads: its default values, and the paths that its templates name (a whole group, or one value)."""

    defaults: Mapping[str, Any]
    named: frozenset[Path]

    @classmethod
    def of(cls, defaults: Mapping[str, Any], templates: Iterable[str], subcharts: Iterable[str] = ()) -> Readings:
        """From a chart's values.yaml, the texts of its templates, and the names of the charts that it depends on."""
        named = {tuple(match[1:].split(".")) for text in templates for match in _READ.findall(text)}
        return cls(defaults, frozenset(named | {(name,) for name in (*_OTHERS, *subcharts)}))

    def members(self, group: Path) -> set[str]:
        """Names of the values right below a group; the chart's values for ()."""
        size = len(group)
        below = {path[size] for path in self.named if len(path) > size and path[:size] == group}
        default = self._default(group)
        return below | set(default if isinstance(default, Mapping) else ())

    def is_free(self, path: Path) -> bool:
        """Whether anything may stand at a path, since a template takes what is there as a whole."""
        return path in self.named or not self.members(path)

    def _default(self, path: Path) -> Any:
        value: Any = self.defaults
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value


def problems(values: Mapping[str, Any], readings: Readings) -> list[str]:
    """What is wrong with values, one sentence for each; empty when the chart reads all of them."""
    return list(_problems(values, readings, ()))


def _problems(values: Mapping[str, Any], readings: Readings, group: Path) -> Iterator[str]:
    members = readings.members(group)
    for name, value in values.items():
        path = (*group, str(name))
        if name not in members:
            yield f"{'.'.join(path)} {_instead(path, members)}"
        elif readings.is_free(path) or value is None:  # null takes a default away
            continue
        elif isinstance(value, Mapping):
            yield from _problems(value, readings, path)
        else:
            yield f"{'.'.join(path)} is a group of {', '.join(sorted(readings.members(path)))}, not {value!r}"


def _instead(path: Path, members: Iterable[str]) -> str:
    gone = GONE.get(".".join(path))
    if gone:
        return f"is not read any more; in its place: {gone}"
    near = difflib.get_close_matches(path[-1], members, n=1)
    return f"is not read; did you mean {'.'.join((*path[:-1], near[0]))}?" if near else "is not read"
