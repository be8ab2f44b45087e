"""The mock devices' control, as the page uses it: which are plugged, and plugging them. Their values are not read."""

from typing import Any

import aiohttp

from edgelab.core.errors import LabError
from edgelab.lab.page.rows import Plug


class Control:
    """A client of `edgelab devices http` at its base URL; errors are LabErrors."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self._url = session, f"{base.rstrip('/')}/devices"

    async def plugs(self) -> tuple[Plug, ...]:
        """The mock devices in their order."""
        told = await self._ask("GET", self._url, f"Ask {self._url} which devices there are")
        try:
            return tuple(Plug(str(one["name"]), str(one["url"]), bool(one["plugged"])) for one in told)
        except (TypeError, KeyError) as error:
            raise LabError(f"Read the devices of {self._url}", f"{type(error).__name__}: {error}") from error

    async def plug(self, name: str, *, plugged: bool) -> None:
        """Plug or unplug a device."""
        verb = "Plug in" if plugged else "Unplug"
        await self._ask("PATCH", f"{self._url}/{name}", f"{verb} device {name}", json={"plugged": plugged})

    async def _ask(self, method: str, url: str, attempted: str, **options: Any) -> Any:
        try:
            async with self._session.request(method, url, **options) as answer:
                if answer.status == 200:
                    return await answer.json()
                seen = (await answer.text()).strip() or f"HTTP status {answer.status}"
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            seen = str(error) or "No answer in time"
        raise LabError(attempted, seen)
