"""When something happened in a cluster, in seconds since 1970: as any client sees it, through a watch opened before."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from edgelab.kube.follow import Event, follow
from lightkube import AsyncClient

Seen = Callable[[Event], bool]

NAMESPACE = "default"


def deleted(event: Event, name: str) -> bool:
    """An object of this name went."""
    return event.type == "deleted" and event.object.metadata.name == name


def bound(event: Event, name: str) -> bool:
    """A Pod has a node."""
    return event.object is not None and event.object.metadata.name == name and bool(event.object.spec.nodeName)


def runs(event: Event, name: str) -> bool:
    """All containers of a Pod run."""
    if event.object is None or event.type == "deleted" or event.object.metadata.name != name:
        return False
    statuses = (event.object.status and event.object.status.containerStatuses) or []
    return bool(statuses) and all(status.state.running for status in statuses)


@contextlib.asynccontextmanager
async def moment(client: AsyncClient, resource: Any, seen: Seen) -> AsyncIterator["asyncio.Future[float]"]:
    """A future of the moment when an event is seen; everything has been listed once before the block begins."""
    reached: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    listed = asyncio.Event()

    async def watch() -> None:
        async for event in follow(client, resource, selectors={"namespace": NAMESPACE}):
            if event.type == "listed":
                listed.set()
            elif seen(event) and not reached.done():
                reached.set_result(time.time())

    async with asyncio.timeout(120):
        task = asyncio.create_task(watch())
        try:
            await listed.wait()
            yield reached
        finally:
            task.cancel()
