"""One Discover stream: what one discovery handler reports for one Configuration, for as long as it is wanted.

Each message replaces the list of devices. A stream that ends or cannot be opened is opened again, with a capped
back-off or at once when `wake()` is called; its devices stay for a grace period that starts at the loss, so that a
handler that restarts costs nobody their device. (Akri 0.13.26 drops them at once.)
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from edgelab.agent.endpoints import Endpoint
from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.core.model import Device, DeviceSpec, Mount
from edgelab.wire import discovery_pb2 as wire
from edgelab.wire.discovery_grpc import DiscoveryHandlerStub

log = logging.getLogger(__name__)

RETRY = Backoff(0.2, 30.0)

RETRY_INVALID_SECONDS = 300.0
"""A handler that refused the discovery details is asked again only rarely, or when the details change."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a handler is asked: the Configuration's details, and its properties as bytes (None: without a value)."""

    details: str
    properties: Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a stream does not deliver.

    The handler refused the details, is not there, cannot be asked for want of a discovery property, or fails
    otherwise.
    """

    text: str
    kind: Literal["invalid", "unreachable", "unresolved", "failing"] = "failing"


class Owner(Protocol):
    """Who wants a stream."""

    async def question(self) -> Question:
        """What to ask; may take a while. Raises LabError if it cannot be known now."""

    def changed(self) -> None:
        """The devices or the trouble of the stream changed."""


class Stream:
    """A Discover stream; `run()` keeps it open. Look at `devices`, `trouble` and `settled`."""

    def __init__(self, endpoint: Endpoint, owner: Owner, *, grace: float, now: Callable[[], float]) -> None:
        self.endpoint = endpoint
        self.devices: tuple[Device, ...] = ()
        self.trouble: Trouble | None = None
        self.live = False
        self._owner, self._grace, self._now = owner, grace, now
        self.lost_at = now()
        self._wake = asyncio.Event()
        self._reopen = asyncio.Event()

    @property
    def settled(self) -> bool:
        """What `devices` says can be acted on: the handler answered, or its grace has passed."""
        return self.live or self._now() >= self.lost_at + self._grace

    def wake(self, *, reopen: bool = False) -> None:
        """Do not wait for the back-off; `reopen` also ends a stream that lives, to ask a new question."""
        self._wake.set()
        if reopen:
            self._reopen.set()

    async def run(self) -> None:
        """Keep the stream open until cancelled."""
        failures = 0
        while True:
            self._wake.clear()
            self._reopen.clear()
            opened = self._now()
            trouble = await self._once()
            failures = 0 if self._now() - opened > RETRY.ceiling else failures + 1
            self._lost(trouble)
            if trouble is None or self._reopen.is_set():
                continue
            await self._pause(RETRY_INVALID_SECONDS if trouble.kind == "invalid" else RETRY.delay(failures))

    async def _once(self) -> Trouble | None:
        """Ask once; why that ended, None when it is to ask anew."""
        listening = asyncio.ensure_future(self._listen())
        told = asyncio.ensure_future(self._reopen.wait())
        try:
            await asyncio.wait({listening, told}, return_when=asyncio.FIRST_COMPLETED)
            return listening.result() if listening.done() else None
        finally:
            await _end(listening, told)

    async def _listen(self) -> Trouble:
        try:
            question = await self._owner.question()
            async with contextlib.aclosing(discover(self.endpoint, question)) as snapshots:
                async for devices in snapshots:
                    self._take(devices)
        except GRPCError as error:
            kind: Literal["invalid", "failing"] = "invalid" if error.status is Status.INVALID_ARGUMENT else "failing"
            return Trouble(error.message or error.status.name, kind)
        except OSError as error:
            return Trouble(str(error) or type(error).__name__, "unreachable")
        except LabError as error:
            return Trouble(str(error), "unresolved")
        except StreamTerminatedError as error:
            return Trouble(str(error) or "it broke off the connection")
        except Exception as error:  # whatever a peer sends must not end the stream for good
            log.exception("discovery handler %s at %s", self.endpoint.name, self.endpoint.address)
            return Trouble(f"{type(error).__name__}: {error}")
        return Trouble("it ended the stream")

    def _take(self, devices: tuple[Device, ...]) -> None:
        news = devices != self.devices or not self.live
        self.devices, self.live, self.trouble = devices, True, None
        if news:
            self._owner.changed()

    def _lost(self, trouble: Trouble | None) -> None:
        news = trouble != self.trouble or self.live
        if self.live:
            self.lost_at = self._now()
        self.live, self.trouble = False, trouble
        if news:
            self._owner.changed()

    def expire(self) -> None:
        """Let go of the devices of a handler whose grace has passed."""
        if self.settled and not self.live:
            self.devices = ()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()


async def _end(*tasks: "asyncio.Future[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def open_channel(endpoint: Endpoint) -> Channel:
    """A channel to a handler; nothing is dialled yet."""
    target = endpoint.target()
    return Channel(*target) if isinstance(target, tuple) else Channel(path=str(target))


async def discover(endpoint: Endpoint, question: Question) -> AsyncGenerator[tuple[Device, ...], None]:
    """The lists of devices that a handler reports, until it ends the stream or the iterator is closed."""
    properties = {
        name: wire.ByteData() if value is None else wire.ByteData(vec=value)
        for name, value in question.properties.items()
    }
    request = wire.DiscoverRequest(discovery_details=question.details, discovery_properties=properties)
    async with open_channel(endpoint) as channel, DiscoveryHandlerStub(channel).Discover.open() as stream:
        await stream.send_message(request, end=True)
        async for response in stream:
            yield tuple(_device(device) for device in response.devices)


def _device(device: wire.Device) -> Device:
    return Device(
        id=device.id,
        properties=dict(device.properties),
        mounts=tuple(Mount(mount.container_path, mount.host_path, mount.read_only) for mount in device.mounts),
        device_specs=tuple(
            DeviceSpec(spec.container_path, spec.host_path, spec.permissions) for spec in device.device_specs
        ),
    )
