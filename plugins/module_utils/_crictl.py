# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""crictl's configuration: which socket it talks to, found by looking, and what becomes of one that the user has.

Pure but for `find_endpoint` and `apply`, which look and write through a `Place`. A user's configuration keeps its other
lines; as it was, it is kept beside, and put back in the end. One that names a socket that answers is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._crictl_places import Place

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

HEADER = "# Written by edgelab.akri.crictl_config, which puts back what was here before.\n"
BACKUP_SUFFIX = ".before-edgelab"
_KEYS = ("runtime-endpoint", "image-endpoint")
_LINE = re.compile(r"^(runtime-endpoint|image-endpoint)\s*:\s*(\S*)")


@dataclass(frozen=True)
class Found:
    """The configuration and what is kept of an earlier one; None where there is no such file."""

    text: str | None
    kept: str | None


@dataclass(frozen=True)
class Plan:
    """What the configuration and the kept one become; None means that there is none."""

    found: Found
    text: str | None
    kept: str | None

    @property
    def needed(self) -> bool:
        """Something is to be done."""
        return (self.text, self.kept) != (self.found.text, self.found.kept)


def look(place: Place, path: str) -> Found:
    """What is there."""
    return Found(place.read(path), place.read(path + BACKUP_SUFFIX))


def endpoint_of(text: str) -> str:
    """What a socket's path or a URL is as an endpoint.

    >>> endpoint_of("/run/crio/crio.sock")
    'unix:///run/crio/crio.sock'
    """
    return f"unix://{text}" if text.startswith("/") else text


def configured(text: str | None) -> dict[str, str]:
    """The endpoints that a configuration names.

    >>> configured("runtime-endpoint: unix:///a.sock # mine")
    {'runtime-endpoint': 'unix:///a.sock'}
    """
    matches = filter(None, map(_LINE.match, (text or "").splitlines()))
    return {match[1]: match[2].strip("'\"") for match in matches if match[2]}


def plan_present(found: Found, endpoint: str) -> Plan:
    """Both endpoints are this one; everything else that the user configured stays."""
    if configured(found.text) in ({_KEYS[0]: endpoint}, dict.fromkeys(_KEYS, endpoint)):
        return Plan(found, found.text, found.kept)
    lines = (found.text or "").removeprefix(HEADER).splitlines()
    others = [line for line in lines if not _LINE.match(line)]
    text = HEADER + "\n".join([*(f"{key}: {endpoint}" for key in _KEYS), *others]) + "\n"
    is_users = found.text is not None and not found.text.startswith(HEADER)
    return Plan(found, text, found.text if is_users and found.kept is None else found.kept)


def plan_absent(found: Found) -> Plan:
    """What the user had is back; what we wrote is gone."""
    if found.kept is not None:
        return Plan(found, found.kept, None)
    is_ours = (found.text or "").startswith(HEADER)
    return Plan(found, None if is_ours else found.text, None)


def find_endpoint(place: Place, found: Found, sockets: Mapping[str, str]) -> str:
    """The endpoint that the configuration names, if it answers, else the first socket on which something listens."""
    named = configured(found.text).get(_KEYS[0], "")
    if named.startswith("unix:///") and place.listens(named.removeprefix("unix://")):
        return named
    for path in sockets.values():
        if place.listens(path):
            return endpoint_of(path)
    looked = ", ".join(f"{path} ({runtime})" for runtime, path in sockets.items())
    raise LabError(
        attempted=f"Find the socket of the container runtime of {place}",
        seen=f"Nothing listens on {looked}",
        cause="No container runtime runs there",
        remedy="Start it; or name its socket in crictl_endpoint, also when it comes later",
    )


def apply(place: Place, path: str, plan: Plan) -> None:
    """Carry a plan out: what is kept comes first, so that it is never lost."""
    steps = [(path + BACKUP_SUFFIX, plan.found.kept, plan.kept), (path, plan.found.text, plan.text)]
    for where, before, after in steps if plan.kept is not None else reversed(steps):
        if after is None and before is not None:
            place.remove(where)
        elif after is not None and after != before:
            place.write(where, after)


def result(path: str, plan: Plan) -> dict[str, Any]:
    """What the module returns."""
    return {
        "changed": plan.needed,
        "endpoint": configured(plan.text).get(_KEYS[0], ""),
        "diff": {
            "before_header": path,
            "after_header": path,
            "before": plan.found.text or "",
            "after": plan.text or "",
        },
    }
