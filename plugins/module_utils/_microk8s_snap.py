# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The snap microk8s: installed from a pinned channel, held against refreshes by itself, and used by people.

`plan` is pure. A MicroK8s that was there before the lab is used as it is; it changes its channel on request only, and
what the lab changed about it is undone by `absent`. One that the lab installed goes as a whole.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils import _microk8s_addons, _microk8s_arguments
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s import Host, Record, snapd_is_there

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

_GROUP = "microk8s"
_SNAPD = (("apt-get", "update", "--quiet"), ("apt-get", "install", "--yes", "--no-install-recommends", "snapd"))
_SEEDED = ("snap", "wait", "system", "seed.loaded")


@dataclass(frozen=True)
class Snap:
    """The snap as `snap list` shows it. channel: `TRACK/RISK`, empty for one that follows none."""

    version: str
    channel: str
    held: bool
    disabled: bool


@dataclass(frozen=True)
class Wanted:
    """The channel, whether a found MicroK8s may change its own to that, whether to hold it, and who uses it."""

    channel: str
    refresh: bool
    hold: bool
    users: tuple[str, ...]


def parse_list(out: str) -> Snap | None:
    """The line of microk8s in what `snap list microk8s` said."""
    rows = [line.split() for line in out.splitlines()]
    found = [row for row in rows if len(row) == 6 and row[0] == "microk8s"]
    if not found:
        return None
    _name, version, _revision, tracking, _publisher, notes = found[0]
    flags = notes.split(",")
    return Snap(version, tracking.strip("-"), held="held" in flags, disabled="disabled" in flags)


def plan(found: Snap | None, wanted: Wanted, record: Record, members: Sequence[str]) -> list[tuple[str, ...]]:
    """The commands that make the snap as wanted; members: who is in its group already."""
    commands: list[tuple[str, ...]] = []
    if found is None:
        commands = [("snap", "install", "microk8s", "--classic", f"--channel={wanted.channel}")]
    elif found.channel != wanted.channel:
        _refuse_refresh(found, wanted, record)
        commands = [("snap", "refresh", "microk8s", f"--channel={wanted.channel}")]
    if found and found.disabled:
        commands.append(("snap", "enable", "microk8s"))
    if wanted.hold and not (found and found.held):
        commands.append(("snap", "refresh", "--hold=forever", "microk8s"))
    if not wanted.hold and found and found.held and record.held:
        commands.append(("snap", "refresh", "--unhold", "microk8s"))
    return commands + [("usermod", "-aG", _GROUP, user) for user in wanted.users if user not in members]


def _refuse_refresh(found: Snap, wanted: Wanted, record: Record) -> None:
    if record.installed or wanted.refresh:
        return
    raise LabError(
        attempted=f"Have MicroK8s from the channel {wanted.channel}",
        seen=f"There is MicroK8s {found.version} from {found.channel or 'no channel'} already, which no lab installed",
        remedy=f"Use it as it is (microk8s_host_channel: {found.channel}) or let it go (microk8s_host_refresh: true)",
    )


def present(host: Host, lab: Path, wanted: Wanted, *, wait: int, dry_run: bool) -> dict[str, Any]:
    """Make sure of the snap, and that MicroK8s is ready; returns the module's result."""
    if os.geteuid() != 0:
        raise LabError(attempted="Have MicroK8s", seen="It needs root", remedy="Let Ansible become it (-K, for sudo)")
    record = host.recorded(str(lab))
    found = _found(host)
    wanted = Wanted(wanted.channel, wanted.refresh, wanted.hold, wanted.users or _owner(lab))
    commands = plan(found, wanted, record, _members())
    if not snapd_is_there():
        commands = [*_SNAPD, _SEEDED, *commands]
    stopped = found is not None and (host.data / "var/lock/stopped.lock").exists()
    # An earlier run set arguments that MicroK8s may not start with, which nobody should wait for.
    damaged = found is not None and bool(record.unsettled)
    changed = bool(commands or stopped or damaged)
    if not dry_run:
        for command in commands:
            _remember(host, record, command)
            host.must("Have MicroK8s", *command, remedy="See `systemctl status snapd` and `snap changes` for why")
        if stopped:
            host.must("Start MicroK8s", "microk8s", "start")
        if damaged:
            _microk8s_arguments.restore(host, record, wait)
        host.wait_ready("Wait for MicroK8s", wait)
    after = _found(host)
    return {
        "changed": changed,
        "version": after.version if after else "",
        "channel": after.channel if after else "",
        "commands": [" ".join(command) for command in commands],
        "diff": _diff(found, wanted, stopped=stopped) if changed else {},
    }


def absent(host: Host, lab: Path, *, wait: int, dry_run: bool) -> dict[str, Any]:
    """Undo what the lab did: all of MicroK8s if the lab installed it, else its changes alone."""
    record = host.owner()
    if record is None or record.lab != str(lab):
        return {"changed": False, "undoes": "nothing"}
    before = f"{_told(_found(host), stopped=False)}changed by the lab {lab}\n"
    if not dry_run:
        _undo(host, record, wait)
    after = "no MicroK8s\n" if record.installed else "MicroK8s as it was before the lab\n"
    return {
        "changed": True,
        "undoes": "all" if record.installed else "changes",
        "diff": {"before": before, "after": after},
    }


def _undo(host: Host, record: Record, wait: int) -> None:
    if record.installed and _found(host):
        host.must("Remove MicroK8s", "snap", "remove", "--purge", "microk8s", remedy="See `snap changes` for why")
        if record.snapd and not _other_snaps(host):
            host.must("Remove snapd", "apt-get", "purge", "--yes", "snapd")
    elif host.installed:
        _microk8s_arguments.restore(host, record, wait)
        _microk8s_addons.restore(host, record, wait)
        for user in set(record.users) & set(_members()):
            host.must("Take a user out of the group", "gpasswd", "-d", user, _GROUP)
        if record.held:
            host.must("Let MicroK8s refresh by itself again", "snap", "refresh", "--unhold", "microk8s")
    host.forget()


def _remember(host: Host, record: Record, command: tuple[str, ...]) -> None:
    """Record what a command is about to do."""
    record.snapd = record.snapd or command in _SNAPD
    record.installed = record.installed or command[1] == "install"
    if command[0] == "usermod":
        record.users.append(command[-1])
    if "--hold=forever" in command:
        record.held = True
    if "--unhold" in command:
        record.held = False
    host.remember(record)


def _found(host: Host) -> Snap | None:
    done = host.run("snap", "list", "microk8s", "--unicode=never", "--color=never")
    return None if done.code else parse_list(done.out)


def _other_snaps(host: Host) -> list[str]:
    """Snaps that somebody else installed: all but those that snapd fetched for itself and for others."""
    rows = [line.split() for line in host.run("snap", "list").out.splitlines()[1:]]
    return [row[0] for row in rows if not {"base", "core", "snapd"} & set(row[-1].split(","))]


def _members() -> list[str]:
    """Who is in the group, and root, who needs it not."""
    try:
        return ["root", *grp.getgrnam(_GROUP).gr_mem]
    except KeyError:
        return ["root"]


def _owner(lab: Path) -> tuple[str, ...]:
    """Whose lab it is; nobody yet before its directory is made, in check mode."""
    try:
        return (pwd.getpwuid(lab.stat().st_uid).pw_name,)
    except (FileNotFoundError, KeyError):
        return ()


def _told(found: Snap | None, *, stopped: bool) -> str:
    if found is None:
        return "no MicroK8s\n"
    state = "stopped, " * stopped + "disabled, " * found.disabled + "held" * found.held
    return f"MicroK8s {found.version} from {found.channel} {state}".rstrip(", ") + "\n"


def _diff(found: Snap | None, wanted: Wanted, *, stopped: bool) -> dict[str, str]:
    version = f"{found.version} " if found and found.channel == wanted.channel else ""
    hold = " held" * (wanted.hold or bool(found and found.held))
    users = f", used by {', '.join(wanted.users)}" if wanted.users else ""
    after = f"MicroK8s {version}from {wanted.channel}{hold}{users}\n"
    return {"before": _told(found, stopped=stopped), "after": after}
