# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Keep a group of supervised processes as described: look, decide (`_processes_model`), act, wait until ready."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write
from ansible_collections.edgelab.akri.plugins.module_utils._processes_fingerprint import Digests, fingerprint
from ansible_collections.edgelab.akri.plugins.module_utils._processes_model import (
    Found,
    Places,
    Process,
    Step,
    decide,
    difference,
    program_section,
)
from ansible_collections.edgelab.akri.plugins.module_utils._processes_ready import Evidence, missing
from ansible_collections.edgelab.akri.plugins.module_utils._processes_supervisor import Supervisor

try:
    from edgelab.core.errors import LabError
    from edgelab.lab import hold
except ImportError:
    pass  # the module that uses this says that the runtime is missing

_REST_SECONDS = 0.05
_DONE = {"keep": "kept", "adopt": "adopted", "start": "started", "restart": "restarted"}


def present(places: Places, processes: Sequence[Process], *, wait: float, dry_run: bool) -> dict[str, Any]:
    """Make the processes run as described, one after the other, each ready before the next; returns the result."""
    digests = Digests(places.supervisor / "digests.json")
    supervisor = Supervisor(places)
    states = supervisor.states()
    steps = [_step(places, process, fingerprint(process, digests), states or {}) for process in processes]
    if not dry_run:
        _make_directories(places)
        digests.save()
        supervisor.ensure()
        for step in steps:
            _apply(places, supervisor, step, wait)
    return {
        "changed": any(step.action != "keep" for step in steps),
        "diff": difference(steps, starts_supervisor=states is None),
        "processes": [_told(places, step) for step in steps],
    }


def absent(places: Places, names: Sequence[str], *, dry_run: bool) -> dict[str, Any]:
    """End the processes in reverse order and, when none is left, supervisord; returns the result."""
    supervisor = Supervisor(places)
    states = supervisor.states() or {}
    there = [name for name in reversed(names) if _exists(places, name, states)]
    if not dry_run:
        for name in there:
            _remove(places, supervisor, name)
        if not any(places.program("x").parent.glob("*.conf")):
            supervisor.shut_down()
    return {
        "changed": bool(there),
        "diff": {"before": "".join(f"{name}: present\n" for name in there), "after": ""},
        "processes": [{"name": name, "pid": None, "action": "stopped"} for name in there],
    }


def running_program(places: Places, name: str) -> int | None:
    """The pid of a process's program; None when it does not run."""
    record = hold.read_record(str(places.record(name)))
    pidfd = hold.open_recorded(record)
    if pidfd is None:
        return None
    os.close(pidfd)
    return int(str(record["pid"]))


def _step(places: Places, process: Process, wanted: str, states: Mapping[str, Mapping[str, Any]]) -> Step:
    program = places.program(process.name)
    record = hold.read_record(str(places.record(process.name)))
    found = Found(
        configuration=program.read_text() if program.exists() else None,
        state=states.get(process.name, {}).get("statename"),
        fingerprint=str(record.get("fingerprint")) if record else None,
        alive=running_program(places, process.name) is not None,
    )
    return decide(process, program_section(process, places, _hold_command(), wanted), wanted, found)


def _hold_command() -> list[str]:
    # Resolved, so that it stays the same whichever of its names the interpreter was called by.
    return [os.path.realpath(sys.executable), "-I", "-S", os.path.realpath(str(hold.__file__))]


def _make_directories(places: Places) -> None:
    for directory in (places.program("x").parent, places.record("x").parent, places.log("x").parent):
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(directory, error) from error


def _apply(places: Places, supervisor: Supervisor, step: Step, wait: float) -> None:
    if step.action != "keep":
        _check_program(step.process)
        supervisor.start(step.process.name, step.configuration)
    _wait_ready(places, supervisor, step.process, wait)


def _check_program(process: Process) -> None:
    path = process.environment.get("PATH", os.environ.get("PATH"))
    if shutil.which(process.argv[0], path=path) is None:
        raise LabError(
            attempted=f"Start {process.name}",
            seen=f"There is no program {process.argv[0]}",
            cause="The task that provides it did not run, or the cache was removed",
            remedy="Run the whole playbook again",
        )


def _wait_ready(places: Places, supervisor: Supervisor, process: Process, wait: float) -> None:
    deadline = time.monotonic() + wait
    while lacking := missing(process.ready, pid := running_program(places, process.name)):
        info = (supervisor.states() or {}).get(process.name, {})
        late = time.monotonic() >= deadline
        if late or info.get("statename") == "BACKOFF":
            evidence = Evidence(process, pid, info, lacking, places.log(process.name))
            occupier = evidence.occupier()
            # A process that ended because another one has its port will not do better in a minute.
            if late or occupier is not None:
                raise evidence.error(f"Start {process.name} and wait up to {wait:g} s until it is ready", occupier)
        time.sleep(_REST_SECONDS)


def _exists(places: Places, name: str, states: Mapping[str, Any]) -> bool:
    return places.program(name).exists() or name in states or running_program(places, name) is not None


def _remove(places: Places, supervisor: Supervisor, name: str) -> None:
    supervisor.stop(name)
    _end_unsupervised(places, name)
    supervisor.forget(name)
    places.record(name).unlink(missing_ok=True)


def _end_unsupervised(places: Places, name: str, stop_seconds: float = 10) -> None:
    """End a program that outlived its supervisor."""
    program = hold.open_recorded(hold.read_record(str(places.record(name))))
    if program is not None:
        hold.end(program, stop_seconds)
        os.close(program)


def _told(places: Places, step: Step) -> dict[str, Any]:
    name = step.process.name
    return {"name": name, "pid": running_program(places, name), "action": _DONE[step.action]}


def places(params: Mapping[str, Any]) -> Places:
    """The places that a module's options name."""
    return Places(Path(params["state_dir"]), Path(params["run_dir"]))
