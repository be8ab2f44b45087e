"""Working through keys: each by one task at a time, again when touched meanwhile, with back-off on failure."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError

K = TypeVar("K", bound=Hashable)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    again: bool = False
    failures: int = 0


class Workers(Generic[K]):
    """Calls `handle(key)` for each key added; different keys run side by side, one key never twice at once.

    A failing handle is called again after the back-off (a LabError is logged as one line, anything else with its
    traceback). Use it inside `async with`: leaving it cancels what still runs.
    """

    def __init__(
        self,
        handle: Callable[[K], Awaitable[None]],
        *,
        backoff: Backoff = Backoff(0.2, 30.0),
    ) -> None:
        self._handle, self._backoff = handle, backoff
        self._entries: dict[K, _Entry] = {}
        self._closed = False

    async def __aenter__(self) -> "Workers[K]":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        tasks = [entry.task for entry in self._entries.values() if entry.task]
        for entry in self._entries.values():
            if entry.timer:
                entry.timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, key: K, *, after: float = 0.0) -> None:
        """Handle the key, now or after some seconds; an earlier appointment of the same key wins."""
        if self._closed:
            return
        entry = self._entries.setdefault(key, _Entry())
        if after > 0:
            self._schedule(key, entry, after)
        elif entry.task:
            entry.again = True
        else:
            self._start(key, entry)

    def _schedule(self, key: K, entry: _Entry, after: float) -> None:
        loop = asyncio.get_running_loop()
        if entry.timer and not entry.timer.cancelled() and entry.timer.when() <= loop.time() + after:
            return
        if entry.timer:
            entry.timer.cancel()
        entry.timer = loop.call_later(after, self._due, key)

    def _due(self, key: K) -> None:
        self._entries[key].timer = None
        self.add(key)

    def _start(self, key: K, entry: _Entry) -> None:
        if entry.timer:
            entry.timer.cancel()
            entry.timer = None
        entry.task = asyncio.create_task(self._work(key, entry))

    async def _work(self, key: K, entry: _Entry) -> None:
        entry.again = False
        try:
            await self._handle(key)
            entry.failures = 0
        except Exception as error:
            entry.failures += 1
            self._report(key, error, entry.failures)
            if not self._closed:
                self._schedule(key, entry, self._backoff.delay(entry.failures))
        finally:
            entry.task = None
        if entry.again and not self._closed:
            self._start(key, entry)
        elif entry.timer is None:
            self._entries.pop(key, None)

    def _report(self, key: K, error: Exception, failures: int) -> None:
        if isinstance(error, LabError):
            log.warning("%s: %s", key, error)
        else:
            log.warning("%s: try %d failed", key, failures, exc_info=error)
