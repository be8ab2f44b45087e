"""What an HTTP device is for: one value, which follows a curve of its own until another one is set."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from edgelab.lab.devices.model import FIELDS, Setting
from edgelab.lab.devices.waveform import measured


class Sensor:
    """`GET PATH` answers with the value, two decimals and a newline; clock: seconds since 1970."""

    settable = FIELDS

    def __init__(self, number: int, path: str = "/", *, clock: Callable[[], float] = time.time) -> None:
        self.paths = (path,)
        self._number, self._clock = number, clock

    def told(self, setting: Setting) -> Mapping[str, Any]:
        """Its value now, and whether somebody set it."""
        return {"value": self._value(setting), "fixed": setting.value is not None}

    async def answer(self, _request: web.BaseRequest, setting: Callable[[], Setting]) -> web.StreamResponse:
        """The value now."""
        return web.Response(text=f"{self._value(setting()):.2f}\n")

    def _value(self, setting: Setting) -> float:
        return measured(self._number, self._clock()) if setting.value is None else setting.value
