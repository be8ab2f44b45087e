"""One mock device: an HTTP server on a port of its own, which is closed while the device is unplugged."""

import asyncio
import errno
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from edgelab.core.errors import LabError
from edgelab.lab.devices.model import Kept, Setting
from edgelab.lab.devices.waveform import measured
from edgelab.service.web import in_url

_END_SECONDS = 0.05
"""How long answers may go on when a device is unplugged; for aiohttp, 0 is for ever."""


class MockDevice:
    """`GET PATH` answers with the value, two decimals and a newline; clock: seconds since 1970."""

    def __init__(self, number: int, listen: str, path: str, kept: Kept, *, clock: Callable[[], float] = time.time):
        self.name = str(number)
        self.port, self.setting = kept.port, kept.setting
        self._number, self._listen, self._path, self._clock = number, listen, path, clock
        self._runner: web.ServerRunner | None = None

    @property
    def kept(self) -> Kept:
        """What is to survive a restart."""
        return Kept(self.port, self.setting)

    @property
    def value(self) -> float:
        """What the device says now."""
        fixed = self.setting.value
        return measured(self._number, self._clock()) if fixed is None else fixed

    def url(self, host: str) -> str:
        """Where the device is read by those who know this machine as host."""
        return f"http://{in_url(host)}:{self.port}{self._path}"

    def told(self, host: str) -> dict[str, Any]:
        """The device as the control and the status tell it."""
        setting = self.setting
        return {
            "name": self.name,
            "url": self.url(host),
            "plugged": setting.plugged,
            "delay_seconds": setting.delay_seconds,
            "failing": setting.failing,
            "value": self.value,
            "fixed": setting.value is not None,
        }

    async def become(self, setting: Setting) -> None:
        """Behave so from now on; raises LabError, and stays as it was, when the port cannot be opened."""
        if setting.plugged and not self._runner:
            await self._plug()
        elif not setting.plugged:
            await self.unplug()
        self.setting = setting

    async def _plug(self) -> None:
        runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=_END_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, self._listen, self.port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise cannot_listen(self._listen, self.port, f"device {self.name}", error) from error
        self.port, self._runner = site.port, runner

    async def unplug(self) -> None:
        """Close the port and every connection to it."""
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != self._path:
            return web.Response(status=404, text=f"The value is at {self._path}\n")
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="A device is only read\n", headers={"Allow": "GET, HEAD"})
        await asyncio.sleep(self.setting.delay_seconds)
        if self.setting.failing:
            return web.Response(status=503, text="The device is failing\n")
        return web.Response(text=f"{self.value:.2f}\n")


def cannot_listen(address: str, port: int, what: str, error: OSError) -> LabError:
    """The error of a port that could not be opened."""
    return LabError(
        attempted=f"Listen on {in_url(address)}:{port} for {what}",
        seen=error.strerror or str(error),
        cause="Another program uses that port" if error.errno == errno.EADDRINUSE else "",
        remedy="End that program, or choose another port",
    )
