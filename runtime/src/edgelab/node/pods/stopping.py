"""Stopping the containers of a Pod: SIGTERM, and SIGKILL once the grace period is over."""

import signal
import time
from collections.abc import Callable

from edgelab.node.containers.runtime import Containers
from edgelab.node.pods.files import PodDirectory


class Stopping:
    """Stops Pods step by step; nothing waits here. Deadlines are of this process: a restarted node begins anew."""

    def __init__(self, containers: Containers, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._containers, self._clock = containers, clock
        self._deadlines: dict[str, float] = {}

    def stop(self, directory: PodDirectory, grace: float) -> float | None:
        """Do what is due now. None when no container runs any more, else the seconds until to call again.

        A later call with less grace shortens what is left.
        """
        running = [run.directory for run in directory.all_runs() if self._containers.is_running(run.directory)]
        if not running:
            self._deadlines.pop(directory.uid, None)
            return None
        now = self._clock()
        is_first = directory.uid not in self._deadlines
        deadline = min(self._deadlines.get(directory.uid, now + grace), now + grace)
        self._deadlines[directory.uid] = deadline
        is_over = now >= deadline
        if is_first or is_over:
            for run in running:
                self._containers.signal(run, signal.SIGKILL if is_over else signal.SIGTERM)
        return max(deadline - now, 0.1)
