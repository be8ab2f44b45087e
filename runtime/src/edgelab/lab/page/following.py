"""Following the objects that a page shows, and knowing whether that works."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from lightkube import AsyncClient

from edgelab.kube.follow import Mirror

_AWAY_SECONDS = 1.0
"""How long the API server is away before it is told: a watch that ends is no news."""


class Following:
    """Mirrors of objects in one namespace; `touched` is called whenever anything about them changed."""

    def __init__(
        self, client: AsyncClient, namespace: str, touched: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._client, self._namespace, self._touched, self._clock = client, namespace, touched, clock
        self._away: dict[str, tuple[float, str]] = {}
        self._mirrors: dict[str, Mirror[Any]] = {}

    def mirror(
        self, name: str, resource: Any, parse: Callable[[Any], Any], labels: dict[str, Any] | None = None
    ) -> Mirror[Any]:
        """A mirror that `run` keeps; labels: a selector."""
        made: Mirror[Any] = Mirror(
            self._client,
            resource,
            parse=parse,
            on_change=lambda _key: self._touched(),
            on_state=partial(self._trouble, name),
            selectors={"namespace": self._namespace} | ({"labels": labels} if labels else {}),
        )
        self._mirrors[name] = made
        return made

    def _trouble(self, name: str, seen: str) -> None:
        since, _why = self._away.pop(name, (self._clock(), ""))
        if seen:
            self._away[name] = since, seen
        self._touched()

    @property
    def ready(self) -> bool:
        """Everything has been seen once."""
        return all(mirror.listed.is_set() for mirror in self._mirrors.values())

    def away(self) -> str:
        """What keeps the API server from being followed for some time now; empty while it can be."""
        now = self._clock()
        return next((seen for since, seen in self._away.values() if now - since >= _AWAY_SECONDS), "")

    async def run(self) -> None:
        """Follow everything until cancelled."""
        async with asyncio.TaskGroup() as group:
            for mirror in self._mirrors.values():
                group.create_task(mirror.run())
