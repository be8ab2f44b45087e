# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Ends every process of a lab, whatever state the lab is in: nothing in it needs to answer.

The supervisor is killed first, so that it brings nothing back; then everything is asked to end, all at once because
nothing is kept that an order could save, and what does not listen is killed. Raises LabError for what outlives that.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError
    from edgelab.lab import procs
    from edgelab.lab.residue import lab_processes

_GRACE_SECONDS = 3.0
_KILL_SECONDS = 5.0


def end(roots: Sequence[Path]) -> None:
    """End the processes of the lab with these directories."""
    supervisors = [process for process in lab_processes(roots) if is_supervisor(process.command)]
    _end(supervisors, signal.SIGKILL, _KILL_SECONDS)
    for how, seconds in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        _end(lab_processes(roots), how, seconds)
    left = lab_processes(roots)
    if left:
        raise LabError(
            attempted="End the processes of the lab",
            seen=f"These are still there: {'; '.join(map(str, left))}",
            remedy="End them by hand, then run the playbook again",
        )


def is_supervisor(command: str) -> bool:
    """Whether a command line is supervisord's (those of its `hold`s name the supervisor's directory, too)."""
    return "supervisor.supervisord -c " in command


def _end(processes: Iterable[procs.Process], how: signal.Signals, seconds: float) -> None:
    waiting = {}
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(process.pid)
            waiting[descriptor] = process
            signal.pidfd_send_signal(descriptor, how)
    try:
        _await(set(waiting), seconds)
    finally:
        for descriptor in waiting:
            os.close(descriptor)


def _await(descriptors: set[int], seconds: float) -> None:
    poller, deadline = select.poll(), time.monotonic() + seconds
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    while descriptors and time.monotonic() < deadline:
        for descriptor, _events in poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            poller.unregister(descriptor)
            descriptors.discard(descriptor)
