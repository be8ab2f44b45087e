"""What the discovery handlers report for each Configuration, merged over the endpoints of its handler.

`want()` opens a Discover stream to every known endpoint of the Configuration's handler, `view()` says what came of
it. A change of the handler, the details or the properties asks again (Akri 0.13.26 ignores such a change). An
endpoint that nobody reached for long is forgotten unless it was kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgelab.agent.endpoints import Endpoint, Endpoints
from edgelab.agent.stream import Question, Stream
from edgelab.agent.wanted import Problem, Reported
from edgelab.core.model import Configuration
from edgelab.kube.follow import Key

PATIENCE_SECONDS = 3.0
"""How long a handler may be missing before a Configuration's Events speak of it."""

_SILENT = "was asked and has not answered yet. What it waits for, its log may say."

FORGET_SECONDS = 600.0
"""How long an endpoint may be out of reach before it is forgotten."""

Resolve = Callable[[Configuration], Awaitable[Mapping[str, bytes | None]]]


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a Configuration's devices; `settled`: every handler answered, or its grace has passed."""

    reported: tuple[Reported, ...]
    settled: bool
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What sessions share: the node, seconds of grace for a lost handler, a monotonic clock, where properties live."""

    node: str
    grace: float
    now: Callable[[], float]
    resolve: Resolve


class Session:
    """The Discover streams of one Configuration."""

    def __init__(self, configuration: Configuration, setting: Setting, on_change: Callable[[Key], None]) -> None:
        self.configuration = configuration
        self.streams: dict[tuple[str, str], Stream] = {}
        self._setting, self._on_change = setting, on_change
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._opened = setting.now()

    async def question(self) -> Question:
        """What the handlers are asked."""
        properties = await self._setting.resolve(self.configuration)
        return Question(self.configuration.details, properties)

    def changed(self) -> None:
        """A stream has news, or patience with it has ended."""
        self._on_change(self.configuration.key)

    def update(self, configuration: Configuration) -> None:
        """Go on for a changed Configuration; asks again if the change concerns the handlers."""
        if _asks(configuration) != _asks(self.configuration):
            for stream in self.streams.values():
                stream.wake(reopen=True)
        self.configuration = configuration

    def sync(self, endpoints: Iterable[Endpoint], *, wake: bool = False) -> None:
        """Have exactly one stream per endpoint; `wake` ends the back-off of those that wait."""
        wanted = {endpoint.key: endpoint for endpoint in endpoints}
        for key in [key for key, stream in self.streams.items() if not _same(stream.endpoint, wanted.get(key))]:
            self._tasks.pop(key).cancel()
            del self.streams[key]
        for key, endpoint in wanted.items():
            if key not in self.streams:
                self._open(endpoint)
            self.streams[key].endpoint = endpoint
            if wake:
                self.streams[key].wake()

    def _open(self, endpoint: Endpoint) -> None:
        stream = Stream(endpoint, self, grace=self._setting.grace, now=self._setting.now)
        self.streams[endpoint.key] = stream
        self._tasks[endpoint.key] = asyncio.create_task(stream.run())

    def close(self) -> list["asyncio.Task[None]"]:
        """End every stream; returns what is ending."""
        self._cancel_timer()
        for task in self._tasks.values():
            task.cancel()
        return list(self._tasks.values())

    def unreachable(self) -> list[Endpoint]:
        """Endpoints out of reach for so long that they are to be forgotten."""
        return [
            stream.endpoint
            for stream in self.streams.values()
            if stream.trouble
            and stream.trouble.kind == "unreachable"
            and not stream.endpoint.kept
            and self._setting.now() - stream.lost_at >= FORGET_SECONDS
        ]

    def view(self) -> View:
        """What the streams say now; asks for another look when time will have changed that."""
        self._look_again()
        for stream in self.streams.values():
            stream.expire()
        streams = [self.streams[key] for key in sorted(self.streams)]
        since_opened = self._setting.now() - self._opened
        return View(
            reported=tuple(Reported(device, stream.endpoint.shared) for stream in streams for device in stream.devices),
            settled=all(stream.settled for stream in streams)
            and (bool(streams) or since_opened >= self._setting.grace),
            problems=tuple(self._problems(streams, since_opened)),
        )

    def _problems(self, streams: list[Stream], since_opened: float) -> Iterable[Problem]:
        handler = self.configuration.handler
        if not streams and since_opened >= PATIENCE_SECONDS:
            yield Problem(
                "NoDiscoveryHandler",
                f"Node {self._setting.node} finds no devices: its agent knows no discovery handler named {handler!r}. "
                "Where no other node's agent knows one either, start it, or correct spec.discoveryHandler.name.",
            )
        for stream in streams:
            trouble, overdue = stream.trouble, self._setting.now() - stream.lost_at >= PATIENCE_SECONDS
            if trouble and trouble.kind == "invalid":
                yield Problem("InvalidDiscoveryDetails", f"Discovery handler {handler!r} says: {trouble.text}")
            elif trouble and trouble.kind == "unresolved":
                yield Problem("DiscoveryPropertiesUnavailable", trouble.text)
            elif overdue and not stream.live:
                why = f"does not deliver: {trouble.text}. It is tried again." if trouble else _SILENT
                yield Problem(
                    "DiscoveryHandlerUnavailable",
                    f"Discovery handler {handler!r} at {stream.endpoint.address} on node {self._setting.node} {why}",
                )

    def _look_again(self) -> None:
        # Time itself makes news at these moments; a margin keeps a timer that is early by a tick from missing one.
        now, limits = self._setting.now(), (PATIENCE_SECONDS, self._setting.grace, FORGET_SECONDS)
        losses = [stream.lost_at for stream in self.streams.values() if not stream.live] or [self._opened]
        moments = [loss + limit for loss in losses for limit in limits if loss + limit > now]
        self._cancel_timer()
        if moments:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(moments) - now + 0.02, self.changed)

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()


class Discovery:
    """The sessions of all Configurations; `on_change` is called with a Configuration's key when its view changed."""

    def __init__(self, endpoints: Endpoints, setting: Setting, on_change: Callable[[Key], None]) -> None:
        self._endpoints, self._setting, self._on_change = endpoints, setting, on_change
        self._sessions: dict[Key, Session] = {}
        endpoints.on_change = self._handler_changed

    def want(self, configuration: Configuration) -> View:
        """Discover for a Configuration from now on, and say what is known already."""
        session = self._sessions.get(configuration.key)
        if session and session.configuration.uid != configuration.uid:
            self.drop(configuration.key)
            session = None
        if session is None:
            session = Session(configuration, self._setting, self._on_change)
            self._sessions[configuration.key] = session
        session.update(configuration)
        session.sync(self._endpoints.of(configuration.handler))
        for endpoint in session.unreachable():
            self._endpoints.forget(endpoint)
        return session.view()

    def drop(self, key: Key) -> None:
        """No longer discover for a Configuration."""
        session = self._sessions.pop(key, None)
        if session:
            session.close()

    async def close(self) -> None:
        """End every stream."""
        tasks = [task for session in self._sessions.values() for task in session.close()]
        await asyncio.gather(*tasks, return_exceptions=True)

    def describe(self) -> list[dict[str, Any]]:
        """Every known endpoint and how it fares, as the status socket tells it."""
        return [self._describe(endpoint) for endpoint in self._endpoints.all()]

    def _describe(self, endpoint: Endpoint) -> dict[str, Any]:
        streams = {
            "/".join(session.configuration.key): session.streams[endpoint.key]
            for session in self._sessions.values()
            if endpoint.key in session.streams
        }
        troubles = [stream.trouble.text for stream in streams.values() if stream.trouble]
        return {
            "name": endpoint.name,
            "endpoint": endpoint.address,
            "endpoint_type": "NETWORK" if endpoint.network else "UDS",
            "shared": endpoint.shared,
            "kept": endpoint.kept,
            "connected": any(stream.live for stream in streams.values()),
            "used_by": sorted(streams),
            "error": troubles[0] if troubles else "",
        }

    def _handler_changed(self, name: str) -> None:
        for key, session in self._sessions.items():
            if session.configuration.handler == name:
                session.sync(self._endpoints.of(name), wake=True)
                self._on_change(key)


def _asks(configuration: Configuration) -> tuple[object, ...]:
    return configuration.handler, configuration.details, configuration.discovery_properties


def _same(endpoint: Endpoint, wanted: Endpoint | None) -> bool:
    return wanted is not None and (wanted.network, wanted.shared) == (endpoint.network, endpoint.shared)
