# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a supervised process is and what has to be done about it. Pure.

`decide` compares what is wanted with what was found and names one action per process:

keep     it runs as wanted
adopt    its program runs as wanted, but no supervisor watches it (any more)
start    it does not run
restart  it runs, but was started differently

An interrupted call leaves either the old configuration file or a record with the old fingerprint, so the next call
sees the difference again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
RUNNING_STATES = ("STARTING", "RUNNING")

# supervisord waits longer each time, so this many tries never end in its state FATAL.
START_RETRIES = 1_000_000


@dataclass(frozen=True)
class Ready:
    """What tells that a process is ready: exactly one of https (a URL), tcp (HOST:PORT), unix or status (a path)."""

    https: str | None = None
    tcp: str | None = None
    unix: str | None = None
    status: str | None = None
    ca: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None


@dataclass(frozen=True)
class Process:
    """A process that is to run; `ready` None means ready when it runs."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    restart_on: tuple[str, ...] = ()
    stop_seconds: int = 10
    stop_signal: str = "TERM"
    ready: Ready | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Process:
        """From one entry of the module's option; raises ValueError with what cannot be run."""
        given = {name: value for name, value in params.items() if value is not None}
        process = cls(
            **given
            | {
                "argv": tuple(given.get("argv", ())),
                "restart_on": tuple(given.get("restart_on", ())),
                "environment": {name: str(value) for name, value in given.get("environment", {}).items()},
                "ready": Ready(**given["ready"]) if "ready" in given else None,
            }
        )
        process.check()
        return process

    def check(self) -> None:
        """Raise ValueError for what supervisord's configuration cannot express."""
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a process name: a-z, 0-9 and - only")
        if any("\n" in word for word in self.argv):
            raise ValueError(f"{self.name}: an argument has a line break")
        for variable, value in self.environment.items():
            if not variable.isidentifier() or re.search(r"""['\"\n]|\s[;#]""", value):
                raise ValueError(f"{self.name}: the environment variable {variable} cannot be passed on")


@dataclass(frozen=True)
class Places:
    """Where the files of the supervisor and of its processes are."""

    state: Path
    run: Path

    @property
    def supervisor(self) -> Path:
        """Everything of the supervisor's own."""
        return self.state / "supervisor"

    @property
    def configuration(self) -> Path:
        """supervisord's main configuration file."""
        return self.supervisor / "supervisord.conf"

    @property
    def socket(self) -> Path:
        """supervisord's API."""
        return self.run / "supervisor.sock"

    def program(self, name: str) -> Path:
        """The part of the configuration that describes a process."""
        return self.supervisor / "conf.d" / f"{name}.conf"

    def record(self, name: str) -> Path:
        """Says which process is the program: see `edgelab hold`."""
        return self.supervisor / "hold" / f"{name}.json"

    def log(self, name: str) -> Path:
        """What the program writes."""
        return self.state / "log" / f"{name}.log"


@dataclass(frozen=True)
class Found:
    """What was found of a process: its configuration file, supervisord's state, its program's record."""

    configuration: str | None = None
    state: str | None = None
    fingerprint: str | None = None
    alive: bool = False


@dataclass(frozen=True)
class Step:
    """What is to be done about one process."""

    process: Process
    action: str
    configuration: str
    found: Found


def decide(process: Process, configuration: str, fingerprint: str, found: Found) -> Step:
    """The step that makes a process run as configured with this fingerprint."""
    same_program = found.alive and found.fingerprint == fingerprint
    if found.state in RUNNING_STATES and found.configuration == configuration and found.fingerprint == fingerprint:
        action = "keep"
    elif found.state in RUNNING_STATES or (found.alive and not same_program):
        action = "restart"
    else:
        action = "adopt" if same_program else "start"
    return Step(process, action, configuration, found)


def supervisord_section(places: Places) -> str:
    """supervisord.conf."""
    sections: dict[str, dict[str, object]] = {
        "unix_http_server": {"file": places.socket, "chmod": "0700"},
        "supervisord": {
            "logfile": places.supervisor / "supervisord.log",
            "logfile_maxbytes": "1MB",
            "logfile_backups": 1,
            "pidfile": places.supervisor / "supervisord.pid",
            "childlogdir": places.supervisor,
            "directory": places.state,
            "umask": "077",
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
        },
        "supervisorctl": {"serverurl": f"unix://{places.socket}"},
        "include": {"files": places.supervisor / "conf.d" / "*.conf"},
    }
    return "\n".join(_section(name, values) for name, values in sections.items())


def program_section(process: Process, places: Places, hold: Iterable[str], fingerprint: str) -> str:
    """conf.d/NAME.conf; hold is the command line of `edgelab hold` without arguments."""
    options = {
        "--record": places.record(process.name),
        "--fingerprint": fingerprint,
        "--log": places.log(process.name),
        "--stop-seconds": process.stop_seconds,
        **({"--stop-signal": process.stop_signal} if process.stop_signal != "TERM" else {}),
    }
    words = [*hold, *(str(word) for option in options.items() for word in option), "--", *process.argv]
    return _section(
        f"program:{process.name}",
        {
            # The configuration parser sees a comment in ` ;` and ` #`; closing and opening the quotes hides them.
            "command": re.sub(r"(\s)([;#])", r"\1''\2", shlex.join(words)),
            "environment": ",".join(f'{name}="{value}"' for name, value in sorted(process.environment.items())),
            "directory": places.state,
            "autostart": "false",
            "autorestart": "true",
            "startsecs": 1,
            "startretries": START_RETRIES,
            # `hold` kills the program in time; were it killed itself, the program would live on.
            "stopwaitsecs": process.stop_seconds + 5,
            "stdout_logfile": "NONE",
            "redirect_stderr": "true",
        },
    )


def _section(name: str, values: Mapping[str, object]) -> str:
    lines = (f"{key}={str(value).replace('%', '%%')}" for key, value in values.items() if value != "")
    return "\n".join([f"[{name}]", *lines, ""])


def difference(steps: Iterable[Step], *, starts_supervisor: bool) -> dict[str, str]:
    """Before and after of the processes that change, in the form of Ansible's diff; environment values are left out."""
    before = ["supervisord is not running"] if starts_supervisor else []
    after = ["supervisord is running"] if starts_supervisor else []
    for step in steps:
        if step.action == "keep":
            continue
        before.append(f"{step.process.name}: {step.found.state or 'not supervised'}")
        before.append(_without_values(step.found.configuration or ""))
        after.append(f"{step.process.name}: RUNNING ({step.action})")
        after.append(_without_values(step.configuration))
    return {"before": "\n".join(before), "after": "\n".join(after)}


def _without_values(configuration: str) -> str:
    return re.sub(
        r"^environment=.*$",
        lambda line: re.sub(r'"[^"]*"', '"..."', line[0]),
        configuration,
        flags=re.MULTILINE,
    )
