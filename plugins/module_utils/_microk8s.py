# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A machine's MicroK8s as its commands `snap` and `microk8s` show it, and the record of what a lab changed about it.

A machine has one MicroK8s, and Akri's parts are one to a cluster, so one lab owns it: the record names the lab, and
another lab is refused. The record is written before what it tells is done, so that a run that was cut
off is known about. Raises LabError.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    import yaml
    from edgelab.core.errors import LabError

RECORD = Path("/var/lib/edgelab/microk8s.json")
DATA = Path("/var/snap/microk8s/current")
# The environment of sudo and of ssh often lacks it.
_SNAP_BIN = "/snap/bin"
_STOPPED = "microk8s is not running, try microk8s start"


@dataclass
class Record:
    """What the lab whose state directory is `lab` changed.

    snapd, installed, held: snapd is there, MicroK8s is there, it is held, because of the lab; users: those whom it put
    into the group microk8s; addons: those that it enabled, in that order, by name: `arguments` and
    `disable_arguments`; arguments: by service and flag what was there before, None for nothing; unsettled: services
    that run with old arguments.
    """

    lab: str
    snapd: bool = False
    installed: bool = False
    held: bool = False
    users: list[str] = field(default_factory=list)
    addons: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    arguments: dict[str, dict[str, str | None]] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Status:
    """What MicroK8s says about itself; addons: `REPOSITORY/NAME` to whether it is enabled, known only while it runs."""

    running: bool
    addons: dict[str, bool]


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """The end of what it said, for people."""
        return "\n".join((self.err.strip() or self.out.strip()).splitlines()[-5:]) or "it said nothing"


def run_command(*argv: str) -> Done:
    """Run a command in the language that is parsed here; one that is not there ends with 127, as in a shell."""
    program = _which(argv[0])
    if program is None:
        return Done(argv, 127, "", f"{argv[0]}: command not found")
    done = subprocess.run(
        [program, *argv[1:]],
        env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(argv, done.returncode, done.stdout, done.stderr)


def snapd_is_there() -> bool:
    """Whether there is a command `snap`."""
    return _which("snap") is not None


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SNAP_BIN}")


@dataclass(frozen=True)
class Host:
    """The machine: how commands are run there, and where things are."""

    run: Callable[..., Done] = run_command
    data: Path = DATA
    record: Path = RECORD
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def installed(self) -> bool:
        """Whether there is a MicroK8s."""
        return (self.data / "args").is_dir()

    def must(self, attempted: str, *argv: str, remedy: str = "") -> Done:
        """Run a command that has to work."""
        done = self.run(*argv)
        if done.code:
            seen = f"`{' '.join(argv)}` ended with {done.code}: {done.said}"
            raise LabError(attempted=attempted, seen=seen, remedy=remedy)
        return done

    def recorded(self, lab: str) -> Record:
        """What this lab changed; an empty record when nothing is known of anyone."""
        found = self.owner()
        if found is None:
            return Record(lab)
        if found.lab != lab:
            raise LabError(
                attempted="Use this machine's MicroK8s",
                seen=f"It is in use by the lab whose directory is {found.lab} (says {self.record})",
                remedy="Take that lab away first (make down LAB=NAME), or use a machine of its own for this one",
            )
        return found

    def owner(self) -> Record | None:
        """The record, whichever lab's it is."""
        try:
            return Record(**json.loads(self.record.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise LabError(
                attempted=f"Read {self.record}, which tells what a lab changed about MicroK8s",
                seen=str(error),
                remedy="Mend the file, or remove it: then nothing of what was changed is undone",
            ) from error

    def remember(self, record: Record) -> None:
        """Write the record."""
        write_whole(self.record, json.dumps(asdict(record), indent=2) + "\n")

    def forget(self) -> None:
        """Remove the record, and its directory if nothing else is in it."""
        self.record.unlink(missing_ok=True)
        with suppress(OSError):
            self.record.parent.rmdir()

    def status(self, wait: int = 0) -> Status:
        """What MicroK8s says about itself, after waiting for so many seconds at most until it is ready."""
        waiting = ("--wait-ready", "--timeout", str(wait)) if wait else ()
        return parse_status(self.run("microk8s", "status", "--format", "yaml", *waiting))

    def wait_ready(self, attempted: str, wait: int) -> Status:
        """Wait until MicroK8s is ready."""
        status = self.status(wait)
        if not status.running:
            raise LabError(
                attempted=attempted,
                seen=f"MicroK8s was not ready within {wait} seconds",
                cause="The node is not Ready, or the API server does not start, e.g. for an unknown argument",
                remedy="Read `journalctl -u snap.microk8s.daemon-kubelite`, `microk8s inspect`. Then run this again: "
                "that begins with putting back the arguments that were just set, if any were",
            )
        return status


def parse_status(done: Done) -> Status:
    """What `microk8s status --format yaml` said. Not being ready is no error here: it ends with 1 then."""
    if _STOPPED in done.out + done.err:
        return Status(running=False, addons={})
    try:
        told: Any = yaml.safe_load(done.out)
        running = bool(told["microk8s"]["running"])
        addons = {f"{addon['repository']}/{addon['name']}": addon["status"] == "enabled" for addon in told["addons"]}
    except (yaml.YAMLError, LookupError, TypeError) as error:
        if done.code and not isinstance(error, KeyError):
            raise _unreadable(done) from error
        return Status(running=False, addons={})
    return Status(running, addons)


def _unreadable(done: Done) -> LabError:
    return LabError(attempted="Ask MicroK8s for its status", seen=f"`{' '.join(done.argv)}` said: {done.said}")
