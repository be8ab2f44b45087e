"""The client of HTTP brokers: finds their Services as they come and go, and calls each one at its cluster address.

It needs to list and watch Services and nothing else, no DNS either. A call that fails says so on its own line and is
tried again at the next interval; others are not held up by it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from lightkube import AsyncClient, operators
from lightkube.resources.core_v1 import Service

from edgelab.brokers.http_device import ANSWER_SECONDS, cause_of, read_value
from edgelab.brokers.target import Target, target_of
from edgelab.core import names
from edgelab.kube.follow import Key, Mirror
from edgelab.kube.workers import Workers
from edgelab.service.bounded import BoundedChannel
from edgelab.wire import http_pb2 as wire
from edgelab.wire.http_grpc import DeviceServiceStub

CALL_SECONDS = ANSWER_SECONDS + 3
"""How long a call may take: what the broker gives its device, and some."""

Say = Callable[[object], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the broker of an Instance answered, or why nothing; `str()` is the line by which the client tells it."""

    instance: str
    value: str = ""
    failure: str = ""

    def __str__(self) -> str:
        return f"http client {self.instance} {f'failed: {self.failure}' if self.failure else f'value {self.value}'}"


async def call(target: Target) -> Answer:
    """Call the broker once. A connection of its own for each call: the next broker may have taken the address over."""
    channel = BoundedChannel(target.host, target.port)
    try:
        response = await DeviceServiceStub(channel).ReadSensor(wire.ReadSensorRequest(name="/"), timeout=CALL_SECONDS)
    except GRPCError as error:
        return Answer(target.instance, failure=error.message or error.status.name)
    except TimeoutError:
        return Answer(target.instance, failure=f"no answer within {CALL_SECONDS:g} s")
    except (OSError, StreamTerminatedError, ProtocolError) as error:
        return Answer(target.instance, failure=cause_of(error))
    finally:
        channel.close()
    value = read_value(response.value.encode())
    return Answer(target.instance, value) if value else Answer(target.instance, failure="the answer is no value")


class HttpClient:
    """Calls every Instance's broker, at once when its Service is there and then every `interval` seconds."""

    def __init__(
        self,
        cluster: AsyncClient,
        configuration: str,
        *,
        namespace: str,
        interval: float,
        say: Say,
        call: Callable[[Target], Awaitable[Answer]] = call,
    ) -> None:
        self._interval, self._say, self._call = interval, say, call
        self._workers: Workers[Key] = Workers(self._ask)
        self._services: Mirror[Target | None] = Mirror(
            cluster,
            Service,
            parse=lambda body: target_of(body.to_dict(), configuration),
            on_change=self._workers.add,
            selectors={"namespace": namespace, "labels": {names.INSTANCE_LABEL: operators.exists()}},
        )

    async def run(self) -> None:
        """Follow the Services and call them until cancelled."""
        async with self._workers, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._services.run())

    async def _ask(self, key: Key) -> None:
        target = self._services.objects.get(key)
        if target is None:
            return
        answer = await self._call(target)
        if self._services.objects.get(key) == target:
            self._say(answer)
            self._workers.add(key, after=self._interval)
