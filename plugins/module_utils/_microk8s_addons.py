# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""MicroK8s' addons, enabled and disabled by what MicroK8s itself says about them.

`plan` is pure. MicroK8s does not tell the arguments that an addon was enabled with, so those that a lab gave are
recorded, and an addon of the lab's own whose arguments changed is disabled and enabled anew. Addons that come with
another (metrics-server with dashboard) are recorded, too, and go with it. `microk8s enable` succeeds without doing
anything for some mistakes, so what counts is the status afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._microk8s import Host, Record, Status

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

_COMMUNITY = "core/community"
_INTERVAL = 2.0


@dataclass(frozen=True)
class Addon:
    """An addon by name or `REPOSITORY/NAME`, and what to give to `microk8s enable` and `microk8s disable`."""

    name: str
    arguments: tuple[str, ...] = ()
    disable_arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, *self.arguments))


@dataclass(frozen=True)
class Step:
    """What to do with an addon: `enable`, `disable`, or `renew` (its arguments changed)."""

    verb: str
    addon: Addon


def full_name(name: str, known: Mapping[str, bool]) -> str | None:
    """`REPOSITORY/NAME` of an addon; None when there is none. Raises LabError when it is in several repositories."""
    if "/" in name:
        return name if name in known else None
    found = [full for full in known if full.partition("/")[2] == name]
    if len(found) > 1:
        raise LabError(
            attempted=f"Find MicroK8s' addon {name}",
            seen=f"There are several: {', '.join(sorted(found))}",
            remedy="Say which, with its repository",
        )
    return found[0] if found else None


def is_ours(addon: Addon, record: Record) -> bool:
    """Whether the lab enabled an addon."""
    return any(addon.name in (full, full.partition("/")[2]) for full in record.addons)


def plan(status: Status, record: Record, addons: Sequence[Addon], *, enabled: bool) -> list[Step]:
    """The steps that make all addons enabled, or disabled. Addons of the community are found once that is enabled."""
    community = status.addons.get(_COMMUNITY, False) or not enabled
    steps = []
    for addon in addons:
        full = full_name(addon.name, status.addons)
        if full is None and not community:
            raise _unknown(addon.name, status)
        if step := _step(full, status, record, addon, enabled=enabled):
            steps.append(step)
        community = community or full == _COMMUNITY
    return steps


def _step(full: str | None, status: Status, record: Record, addon: Addon, *, enabled: bool) -> Step | None:
    is_enabled = full is not None and status.addons[full]
    if is_enabled != enabled:
        return Step("enable" if enabled else "disable", addon)
    ours = record.addons.get(full or "")
    if enabled and ours is not None and ours["arguments"] != list(addon.arguments):
        return Step("renew", addon)
    return None


def ensure(
    host: Host, record: Record, addons: Sequence[Addon], *, enabled: bool, wait: int, dry_run: bool
) -> dict[str, Any]:
    """Make sure that addons are enabled or disabled; returns the module's result."""
    status = host.wait_ready("See which addons MicroK8s has", wait)
    steps = plan(status, record, addons, enabled=enabled)
    diff = _diff(steps, record)
    if not dry_run:
        for step in steps:
            status = _take(host, record, status, step, wait)
    return {"changed": bool(steps), "addons": status.addons, "diff": diff}


def restore(host: Host, record: Record, wait: int) -> None:
    """Disable what the lab enabled, the latest first."""
    for name in reversed(list(record.addons)):
        status = host.wait_ready(f"Disable the addon {name}", wait)
        if status.addons.get(name):
            _disable(host, record, status, Addon(name), wait)
        record.addons.pop(name, None)
        host.remember(record)


def _take(host: Host, record: Record, status: Status, step: Step, wait: int) -> Status:
    if step.verb != "enable":
        status = _disable(host, record, status, step.addon, wait)
    if step.verb != "disable":
        status = _enable(host, record, status, step.addon, wait)
    return status


def _enable(host: Host, record: Record, status: Status, addon: Addon, wait: int) -> Status:
    full = full_name(addon.name, status.addons)
    if full is None:
        raise _unknown(addon.name, status)
    record.addons[full] = {"arguments": list(addon.arguments), "disable_arguments": list(addon.disable_arguments)}
    host.remember(record)
    after = _run(host, "enable", full, addon.arguments, wait)
    companions = [name for name in after.addons if after.addons[name] and not status.addons.get(name, False)]
    for name in sorted(set(companions) - set(record.addons)):
        record.addons = {name: {"arguments": [], "disable_arguments": []}, **record.addons}
    host.remember(record)
    return after


def _disable(host: Host, record: Record, status: Status, addon: Addon, wait: int) -> Status:
    full = full_name(addon.name, status.addons) or addon.name
    recorded = record.addons.get(full, {}).get("disable_arguments", [])
    after = _run(host, "disable", full, addon.disable_arguments or tuple(recorded), wait)
    record.addons.pop(full, None)
    host.remember(record)
    return after


def _run(host: Host, verb: str, full: str, arguments: tuple[str, ...], wait: int) -> Status:
    """Enable or disable, and wait until the status shows it: Pods come and go some seconds later."""
    attempted = f"{verb.capitalize()} MicroK8s' addon {' '.join((full, *arguments))}"
    done = host.must(attempted, "microk8s", verb, full, *arguments)
    until = host.now() + wait
    while True:
        status = host.wait_ready(attempted, wait)
        if status.addons.get(full, False) == (verb == "enable"):
            return status
        if host.now() > until:
            seen = f"MicroK8s does not show it as {verb}d after {wait} seconds; `microk8s {verb}` said: {done.said}"
            raise LabError(
                attempted=attempted, seen=seen, remedy="See `microk8s kubectl get pods -A` for what hinders it"
            )
        host.sleep(_INTERVAL)


def _unknown(name: str, status: Status) -> LabError:
    return LabError(
        attempted=f"Find MicroK8s' addon {name}",
        seen=f"There are only: {', '.join(sorted(status.addons))}",
        cause="It is misspelt, the community's, or gone from this channel (MicroK8s 1.36 has no dashboard any more)",
        remedy="Correct it, choose another channel, or put community before it in the list",
    )


def _diff(steps: Sequence[Step], record: Record) -> dict[str, str]:
    before, after = "", ""
    for step in steps:
        name, known = step.addon.name, " ".join(_recorded_arguments(step.addon.name, record))
        before += f"{name}: disabled\n" if step.verb == "enable" else f"{name}: enabled {known}".rstrip() + "\n"
        after += f"{name}: disabled\n" if step.verb == "disable" else f"{name}: enabled{str(step.addon)[len(name) :]}\n"
    return {"before": before, "after": after} if steps else {}


def _recorded_arguments(name: str, record: Record) -> list[str]:
    found = [addon["arguments"] for full, addon in record.addons.items() if name in (full, full.partition("/")[2])]
    return found[0] if found else []
