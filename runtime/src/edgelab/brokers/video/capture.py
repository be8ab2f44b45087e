"""Reading a camera as long as the broker lives: the newest of its frames, or what is wrong with it.

A camera that goes is tried again, with growing pauses; what is wrong is told in the log when it changes, not at every
try. Frames are kept one at a time: whoever is slow misses some and costs nothing.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from edgelab.core.backoff import Backoff

PATIENCE_SECONDS = 5.0
"""A camera that gives no frame for so long counts as gone."""

RETRY = Backoff(0.2, 5.0)

log = logging.getLogger(__name__)


class CameraError(Exception):
    """A camera gives no frames, or not any more; says why, on one line."""


class Source(Protocol):
    """A camera that can be read."""

    @property
    def name(self) -> str:
        """Its device node or URL."""

    def frames(self) -> AsyncGenerator[bytes]:
        """Its frames as JPEG, each as soon as it is there, until the camera ends them; raises CameraError."""


@dataclass(frozen=True, slots=True)
class Shot:
    """The newest frame, or why there is none.

    sequence: frames so far; jpeg: empty where there is a problem; received: seconds since 1970.
    """

    sequence: int = 0
    jpeg: bytes = b""
    received: float = 0.0
    problem: str = "no frame has come yet"


class Newest:
    """The newest shot, for any number of readers that each take it when they like."""

    def __init__(self) -> None:
        self._shot = Shot()
        self._replaced = asyncio.Event()

    @property
    def shot(self) -> Shot:
        """What there is now."""
        return self._shot

    def replace(self, shot: Shot) -> None:
        """Put another one in its place."""
        self._shot = shot
        self._replaced.set()
        self._replaced = asyncio.Event()

    async def after(self, shot: Shot | None) -> Shot:
        """The newest that is another one than the given, as soon as there is one; None: whatever there is."""
        if self._shot is shot:
            await self._replaced.wait()
        return self._shot


class Capture:
    """Fills `newest` from a source; clock: seconds since 1970."""

    def __init__(
        self,
        source: Source,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.name, self.newest = source.name, Newest()
        self._source, self._clock, self._sleep, self._patience = source, clock, sleep, patience

    async def run(self) -> None:
        """Read the camera, again and again, until cancelled."""
        failures = 0
        while True:
            before = self.newest.shot.sequence
            problem = await self._read()
            failures = failures + 1 if self.newest.shot.sequence == before else 1
            self._lost(problem)
            await self._sleep(RETRY.delay(failures))

    async def _read(self) -> str:
        """Read until there are no frames any more; returns why."""
        try:
            async with aclosing(self._source.frames()) as frames:
                while True:
                    async with asyncio.timeout(self._patience):
                        self._got(await anext(frames))
        except StopAsyncIteration:
            return "the camera ended its stream"
        except TimeoutError:
            return f"no frame within {self._patience:g} s"
        except CameraError as error:
            return str(error)

    def _got(self, jpeg: bytes) -> None:
        before = self.newest.shot
        if before.problem:
            log.info("%s gives frames", self.name)
        self.newest.replace(Shot(before.sequence + 1, jpeg, self._clock(), ""))

    def _lost(self, problem: str) -> None:
        before = self.newest.shot
        if problem != before.problem:
            log.warning("%s: %s; it is tried until it gives frames", self.name, problem)
            self.newest.replace(replace(before, jpeg=b"", problem=problem))
