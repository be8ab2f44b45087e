"""One mock device: an HTTP server on a port of its own, which is closed while the device is unplugged."""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from edgelab.core.errors import LabError
from edgelab.lab.devices.model import Kept, Setting, changed
from edgelab.service.web import in_url

_END_SECONDS = 0.05
"""How long answers may go on when a device is unplugged; for aiohttp, 0 is for ever."""


class Behaviour(Protocol):
    """What a device is for: what it answers while it is there and does not fail."""

    @property
    def paths(self) -> Sequence[str]:
        """Where it answers; the first is in its URL."""

    @property
    def settable(self) -> Sequence[str]:
        """The fields of Setting that mean something to it."""

    def told(self, setting: Setting, /) -> Mapping[str, Any]:
        """What the control and the status tell of it beside what they tell of every device."""

    async def answer(self, request: web.BaseRequest, setting: Callable[[], Setting], /) -> web.StreamResponse:
        """Answer to GET or HEAD on one of the paths; setting: what is set at the moment of the call."""


class MockDevice:
    """A device that behaves as given on a port that can be closed and opened again."""

    def __init__(self, name: str, listen: str, kept: Kept, behaviour: Behaviour) -> None:
        self.name, self.port, self.setting = name, kept.port, kept.setting
        self._listen, self._behaviour = listen, behaviour
        self._runner: web.ServerRunner | None = None

    @property
    def kept(self) -> Kept:
        """What is to survive a restart."""
        return Kept(self.port, self.setting)

    def url(self, host: str) -> str:
        """Where the device is read by those who know this machine as host."""
        return f"http://{in_url(host)}:{self.port}{self._behaviour.paths[0]}"

    def told(self, host: str) -> dict[str, Any]:
        """The device as the control and the status tell it."""
        setting = self.setting
        return {
            "name": self.name,
            "url": self.url(host),
            "plugged": setting.plugged,
            "delay_seconds": setting.delay_seconds,
            "failing": setting.failing,
            **self._behaviour.told(setting),
        }

    async def change(self, changes: object) -> None:
        """Set some of what can be set; raises ValueError with the reason, or LabError as `become` does."""
        await self.become(changed(self.setting, changes, self._behaviour.settable))

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
        if request.path not in self._behaviour.paths:
            return web.Response(status=404, text=f"There is {' and '.join(self._behaviour.paths)}\n")
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="A device is only read\n", headers={"Allow": "GET, HEAD"})
        await asyncio.sleep(self.setting.delay_seconds)
        if self.setting.failing:
            return web.Response(status=503, text="The device is failing\n")
        return await self._behaviour.answer(request, lambda: self.setting)


def cannot_listen(address: str, port: int, what: str, error: OSError) -> LabError:
    """The error of a port that could not be opened."""
    return LabError(
        attempted=f"Listen on {in_url(address)}:{port} for {what}",
        seen=error.strerror or str(error),
        cause="Another program uses that port" if error.errno == errno.EADDRINUSE else "",
        remedy="End that program, or choose another port",
    )
