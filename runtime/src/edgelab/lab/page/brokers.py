"""Listening to brokers: one log stream for each, opened again where it left off."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

import httpx2
from lightkube import AsyncClient

from edgelab.controller.model import Broker
from edgelab.core.backoff import Backoff
from edgelab.kube.logs import Said, follow_log

MOST = 100
"""How many brokers are listened to at once."""

_BACKOFF = Backoff(0.5, 5.0)

log = logging.getLogger(__name__)


class Listeners:
    """Calls `take` with each line of the brokers given last; use it inside `async with`.

    tail: lines of a broker's past to begin with; silence: seconds after which a stream without a word is opened anew.
    """

    def __init__(self, client: AsyncClient, take: Callable[[Broker, Said], None], *, tail: int, silence: float) -> None:
        self._client, self._take, self._tail, self._silence = client, take, tail, silence
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> "Listeners":
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._tasks.values())
        self.listen_to({})
        await asyncio.gather(*tasks, return_exceptions=True)

    def listen_to(self, brokers: Mapping[str, Broker]) -> None:
        """Listen to these brokers, by uid, and to no others; to the first MOST of them when there are more."""
        for uid in [uid for uid in self._tasks if uid not in brokers]:
            self._tasks.pop(uid).cancel()
        for uid in [uid for uid in brokers if uid not in self._tasks][: MOST - len(self._tasks)]:
            self._tasks[uid] = asyncio.create_task(self._listen(brokers[uid]))

    async def _listen(self, broker: Broker) -> None:
        since: float | None = None
        failures = 0
        while True:
            try:
                lines = follow_log(
                    self._client, broker.namespace, broker.name, tail=self._tail, since=since, silence=self._silence
                )
                async with contextlib.aclosing(lines):
                    async for said in lines:
                        since, failures = said.at, 0
                        self._take(broker, said)
            except httpx2.HTTPError as error:
                log.debug("log of %s: %s: %s", broker.name, type(error).__name__, error)
            failures += 1
            await asyncio.sleep(_BACKOFF.delay(failures))
