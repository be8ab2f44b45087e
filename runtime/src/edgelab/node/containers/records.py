"""What is known of a container: how to run it, that it began, how it ended. On disk, so that it outlives the node.

A run has a directory: `start.json` is written by the container before its module runs, `exit.json` by the container
when its module ended, or by the zygote when a signal ended it; `log` is its log. A directory without `start.json`
belongs to a run that never began.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgelab.node.containers.files import read_json, write_json
from edgelab.node.containers.process import ProcessIdentity
from edgelab.node.outbound.policy import NOWHERE, Policy

UNKNOWN_EXIT = 137
"""Exit code of a container whose end nobody saw, as kubelets report it (`ContainerStatusUnknown`)."""


@dataclass(frozen=True, slots=True)
class Preopen:
    """A directory of the host that a module may use under a name of its own."""

    host: str
    guest: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """How to run a module once; `directory` is that of the run, `memory_limit` in bytes of linear memory.

    `outbound` says where its HTTP requests may go; they may go nowhere by default.
    """

    directory: str
    module: str
    arguments: tuple[str, ...]
    memory_limit: int
    environment: Mapping[str, str] = field(default_factory=dict)
    preopens: tuple[Preopen, ...] = ()
    outbound: Policy = NOWHERE

    def to_json(self) -> str:
        """On one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "ContainerSpec":
        """The inverse of to_json."""
        fields = json.loads(text)
        fields["arguments"] = tuple(fields["arguments"])
        fields["preopens"] = tuple(Preopen(**each) for each in fields["preopens"])
        fields["outbound"] = Policy.from_dict(fields["outbound"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Start:
    """A run began; times are RFC 3339 in UTC."""

    process: ProcessIdentity
    started_at: str


@dataclass(frozen=True, slots=True)
class Exit:
    """A run ended; reason is a word of Kubernetes' (`Completed`, `Error`, `OOMKilled`, ...), message for people."""

    exit_code: int
    reason: str
    finished_at: str
    message: str = ""


def now() -> str:
    """The time as Kubernetes writes it."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """A time as Kubernetes writes it, e.g. `2026-11-21T09:01:31Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The directory of one run of a container."""

    path: Path

    @property
    def log(self) -> Path:
        """The log, in the format of the Container Runtime Interface."""
        return self.path / "log"

    @property
    def start_record(self) -> Path:
        """The file that says that the run began."""
        return self.path / "start.json"

    def start(self) -> Start | None:
        """The record of the start, if the run began."""
        found = read_json(self.start_record)
        return Start(ProcessIdentity(**found["process"]), found["started_at"]) if found else None

    def exit(self) -> Exit | None:
        """The record of the end, if the run ended."""
        found = read_json(self.path / "exit.json")
        return Exit(**found) if found else None

    def record_start(self, start: Start) -> None:
        """Raises OSError when the directory is gone: the run has been called off."""
        _write(self.start_record, start)

    def record_exit(self, end: Exit) -> None:
        """Note how the run ended."""
        _write(self.path / "exit.json", end)


def _write(path: Path, record: Any) -> None:
    write_json(path, asdict(record))
