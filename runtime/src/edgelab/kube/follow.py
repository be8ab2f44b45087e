"""Following every object of a kind: list, then watch; after a break, list again and tell what changed meanwhile.

Nothing is lost or told twice across breaks, whatever the API server does: consumers see each object's additions,
changes and deletions in order, and `listed` each time that the local picture is complete.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import httpx2
from lightkube import AsyncClient

from edgelab.core.backoff import Backoff

Key = tuple[str, str]
"""Namespace (empty for cluster-wide kinds) and name."""

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

log = logging.getLogger(__name__)

_WATCH_SECONDS = 290
"""How long the API server may keep one watch open: shorter than the limits of most proxies in between."""


@dataclass(frozen=True, slots=True)
class Event:
    """A piece of news; `object` is None for `listed` only."""

    type: Literal["added", "modified", "deleted", "listed"]
    object: Any = None


def key_of(body: Any) -> Key:
    """The key of an object as lightkube gives it."""
    return body.metadata.namespace or "", body.metadata.name


def differences(known: Mapping[Key, Any], listed: Iterable[Any]) -> Iterator[Event]:
    """What turns the known objects into the listed ones; an object that was replaced is deleted, then added."""
    found = {key_of(body): body for body in listed}
    for key, body in known.items():
        if key not in found or found[key].metadata.uid != body.metadata.uid:
            yield Event("deleted", body)
    for key, body in found.items():
        before = known.get(key)
        if before is None or before.metadata.uid != body.metadata.uid:
            yield Event("added", body)
        elif before.metadata.resourceVersion != body.metadata.resourceVersion:
            yield Event("modified", body)


def _ignore(_seen: str) -> None:
    """For those who need not know of breaks."""


async def follow(
    client: AsyncClient,
    resource: Any,
    *,
    selectors: Mapping[str, Any] | None = None,
    on_error: Callable[[str], None] = _ignore,
    backoff: Backoff = Backoff(0.2, 5.0),
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Event]:
    """Events of a kind, for ever. selectors: `namespace` ("*" for all), `labels`, `fields` as lightkube takes them.

    Errors of the API server and of the connection are logged, told to on_error and tried again with the back-off;
    nothing is raised.
    """
    known: dict[Key, Any] = {}
    failures = 0
    while True:
        try:
            async with contextlib.aclosing(_one_round(client, resource, dict(selectors or {}), known)) as events:
                async for event in events:
                    failures = 0
                    yield event
        except httpx2.HTTPError as error:  # lightkube's ApiError is one of these
            failures += 1
            _tell(resource, error, failures)
            on_error(f"{type(error).__name__}: {error}")
        await sleep(backoff.delay(max(failures, 1)))


async def _one_round(
    client: AsyncClient, resource: Any, selectors: dict[str, Any], known: dict[Key, Any]
) -> AsyncGenerator[Event, None]:
    listing = client.list(resource, **selectors)
    bodies = [body async for body in listing]
    for event in list(differences(known, bodies)):
        _remember(known, event)
        yield event
    yield Event("listed")
    watch = client.watch(resource, **selectors, server_timeout=_WATCH_SECONDS, resource_version=listing.resourceVersion)
    async for verb, body in watch:
        event = _news(known, verb, body)
        _remember(known, event)
        yield event


def _news(known: Mapping[Key, Any], verb: str, body: Any) -> Event:
    if verb == "DELETED":
        return Event("deleted", body)
    return Event("modified" if key_of(body) in known else "added", body)


def _remember(known: dict[Key, Any], event: Event) -> None:
    if event.type == "deleted":
        known.pop(key_of(event.object), None)
    else:
        known[key_of(event.object)] = event.object


def _tell(resource: Any, error: Exception, failures: int) -> None:
    # A restart of the API server is ordinary: only a lasting break deserves more than a debug line.
    level = logging.WARNING if failures == 3 else logging.DEBUG
    log.log(level, "cannot follow %s: %s: %s", resource.__name__, type(error).__name__, error)


class Mirror(Generic[T]):
    """A local copy of every object of a kind, kept by `run()`; `on_change` is called with each key that changed.

    `parse` turns an object into the value kept; an object that it refuses (ValueError) is logged and kept out.
    `on_state` is told what was seen each time that the API server cannot be followed, and "" when the copy is complete.
    """

    def __init__(
        self,
        client: AsyncClient,
        resource: Any,
        *,
        parse: Callable[[Any], T],
        on_change: Callable[[Key], None],
        on_state: Callable[[str], None] = _ignore,
        selectors: Mapping[str, Any] | None = None,
    ) -> None:
        self.objects: dict[Key, T] = {}
        self.listed = asyncio.Event()
        self._client, self._resource, self._selectors = client, resource, selectors
        self._parse, self._on_change, self._on_state = parse, on_change, on_state

    async def run(self) -> None:
        """Follow the kind until cancelled."""
        async for event in follow(self._client, self._resource, selectors=self._selectors, on_error=self._on_state):
            if event.type == "listed":
                self.listed.set()
                self._on_state("")
                continue
            self._take(event)
            self._on_change(key_of(event.object))

    def _take(self, event: Event) -> None:
        key = key_of(event.object)
        self.objects.pop(key, None)
        if event.type == "deleted":
            return
        try:
            self.objects[key] = self._parse(event.object)
        except ValueError as error:
            log.warning("%s %s is malformed and left alone: %s", self._resource.__name__, "/".join(key), error)
