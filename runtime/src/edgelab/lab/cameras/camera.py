"""A virtual network camera: `GET /` streams its pictures as MJPEG, `GET /snapshot.jpg` is the newest of them.

The time is cut into ticks, one a frame. Whoever is the first to need the picture of a tick makes it, and all others
take the same: it costs the same for any number of viewers, and nothing while nobody looks. A viewer that reads slowly
misses ticks; one that has not read for STALLED_SECONDS is dropped.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from aiohttp import web

from edgelab.lab.cameras.film import film
from edgelab.lab.cameras.pattern import Size
from edgelab.lab.devices.model import Setting
from edgelab.service.multipart import OPENING, STREAM_TYPE, part
from edgelab.service.web import keep_short

STALLED_SECONDS = 20.0

_SNAPSHOT = "/snapshot.jpg"
_GOLDEN = 0.618034
_FRESH = {"Cache-Control": "no-store"}


def camera(number: int, size: Size, frames_per_second: float) -> "Camera":
    """The camera of a number, from 1, with the picture that is its own."""
    return Camera(number, film(number, size), frames_per_second)


class Camera:
    """What a mock device does that is a camera; film: makes the JPEG of a time; clock: seconds since 1970."""

    paths = ("/", _SNAPSHOT)
    settable = ("plugged", "delay_seconds", "failing")

    def __init__(
        self,
        number: int,
        film: Callable[[float], bytes],
        frames_per_second: float,
        *,
        clock: Callable[[], float] = time.time,
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        # Cameras of one process take turns instead of encoding all at once.
        self._phase = number * _GOLDEN % 1
        self._film, self._rate, self._clock, self._stalled = film, frames_per_second, clock, stalled_seconds
        self._viewers = 0
        self._made: tuple[int, bytes] | None = None

    def told(self, _setting: Setting) -> Mapping[str, Any]:
        """How many look."""
        return {"viewers": self._viewers}

    async def answer(self, request: web.BaseRequest, setting: Callable[[], Setting]) -> web.StreamResponse:
        """The stream, or one picture. A delay holds up each frame; a camera that begins to fail ends its streams."""
        if request.path == _SNAPSHOT:
            return web.Response(body=self._frame(self._tick()), content_type="image/jpeg", headers=_FRESH)
        response = web.StreamResponse(headers={"Content-Type": STREAM_TYPE, **_FRESH})
        await response.prepare(request)
        if request.method == "GET":
            await self._stream(response, request, setting)
        return response

    async def _stream(
        self, response: web.StreamResponse, request: web.BaseRequest, setting: Callable[[], Setting]
    ) -> None:
        transport = request.transport
        if transport is None:
            return
        keep_short(transport)
        self._viewers += 1
        try:
            await response.write(OPENING)
            async with aclosing(self._ticks(setting)) as ticks:
                async for tick in ticks:
                    async with asyncio.timeout(self._stalled):
                        await response.write(part(self._frame(tick)))
        except (TimeoutError, ConnectionError):
            # A graceful end would wait for the viewer to read.
            transport.abort()
        finally:
            self._viewers -= 1

    async def _ticks(self, setting: Callable[[], Setting]) -> AsyncGenerator[int]:
        last = None
        while not setting().failing:
            tick = self._tick()
            if tick != last:
                yield tick
                last = tick
                await asyncio.sleep(setting().delay_seconds)
            await asyncio.sleep((self._tick() + 1 - self._phase) / self._rate - self._clock())

    def _tick(self) -> int:
        return int(self._clock() * self._rate + self._phase)

    def _frame(self, tick: int) -> bytes:
        if self._made is None or self._made[0] != tick:
            self._made = (tick, self._film(self._clock()))
        return self._made[1]
