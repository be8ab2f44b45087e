# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Waits until a Pod has said something: for each of some patterns, a line of its log.

Changes nothing. Raises LabError when a line is missing at the end of the time; it says for which patterns, and what the
Pod said last.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.edgelab.akri.plugins.module_utils._kube import ApiError, Cluster, LabError, Object

_PAUSE = 0.5
_TOLD = 5


@dataclass
class Heard:
    """What was heard of a Pod so far: for each pattern the first line that matched, and the last lines of all."""

    patterns: Sequence[str]
    pod: str = ""
    found: dict[str, str] = field(default_factory=dict)
    last: list[str] = field(default_factory=list)

    def take(self, line: str) -> bool:
        """Note a line; returns whether every pattern has one now."""
        self.last = [*self.last, line][-_TOLD:]
        for pattern in self.patterns:
            if pattern not in self.found and re.search(pattern, line):
                self.found[pattern] = line
        return not self.missing

    @property
    def lines(self) -> list[str]:
        """The lines found, in the order of the patterns."""
        return [self.found[pattern] for pattern in self.patterns if pattern in self.found]

    @property
    def missing(self) -> list[str]:
        """The patterns without a line."""
        return [pattern for pattern in self.patterns if pattern not in self.found]


def newest_running(pods: Sequence[Object]) -> Object | None:
    """The Pod whose log counts: of those that run and are not asked to end, the one that was made last."""
    running = [
        pod for pod in pods if pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
    ]
    return max(running, key=lambda pod: pod["metadata"]["creationTimestamp"], default=None)


def wait_for_lines(
    cluster: Cluster, namespace: str, selector: str, patterns: Sequence[str], *, timeout: float
) -> Heard:
    """Read the log of the newest Pod with these labels until each pattern has a line; timeout in seconds.

    A stream that ends before is opened again, and a Pod that took the place of the first is read from its beginning.
    """
    _check(patterns)
    deadline = time.monotonic() + timeout
    while True:
        pods = cluster.find_all("v1", "Pod", namespace, labelSelector=selector)
        heard = _read(cluster, newest_running(pods), patterns, deadline)
        if not heard.missing:
            return heard
        if time.monotonic() + _PAUSE > deadline:
            raise _silent(namespace, selector, heard)
        time.sleep(_PAUSE)


def _check(patterns: Sequence[str]) -> None:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise LabError(
                attempted=f"Look for {pattern!r} in a log", seen=f"It is no regular expression: {error}"
            ) from error


def _read(cluster: Cluster, pod: Object | None, patterns: Sequence[str], deadline: float) -> Heard:
    heard = Heard(patterns, pod["metadata"]["name"] if pod else "")
    if pod is None:
        return heard
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{heard.pod}/log"
    with contextlib.suppress(ApiError):  # its container may not have begun
        for line in cluster.lines(path, seconds=max(_PAUSE, deadline - time.monotonic()), follow="true"):
            if heard.take(line) or time.monotonic() > deadline:
                break
    return heard


def _silent(namespace: str, selector: str, heard: Heard) -> LabError:
    said = "; ".join(heard.last) or "nothing"
    return LabError(
        attempted=f"Wait for what the Pod with {selector} in {namespace} says",
        seen=f"{heard.pod} said {said}" if heard.pod else "No such Pod runs",
        cause=f"These have no line: {', '.join(heard.missing)}",
        remedy=f"kubectl -n {namespace} describe pods -l {selector}",
    )
