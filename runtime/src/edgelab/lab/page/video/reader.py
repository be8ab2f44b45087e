"""Reading a camera's broker, as long as somebody looks: each frame as it comes, over one stream.

A broker that knows GetFrame alone, as Akri's sample does, is asked for one frame after the other.
"""

import asyncio
from collections.abc import Awaitable, Callable

from google.protobuf.message import DecodeError
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from edgelab.brokers.http_device import cause_of
from edgelab.brokers.target import Target
from edgelab.core.backoff import Backoff
from edgelab.lab.page.video.told import Told, judge
from edgelab.service.bounded import BoundedChannel
from edgelab.wire.camera_grpc import CameraStub
from edgelab.wire.camera_pb2 import NotifyRequest, NotifyResponse

MESSAGE_SECONDS = 10.0
"""A broker that says nothing for so long is connected to anew: a connection can be lost without a word."""

_ASK_SECONDS = 0.1
"""Between two frames of a broker that has to be asked."""

_RETRY = Backoff(0.2, 5.0)

_FAILURES = (
    OSError,
    StreamTerminatedError,
    ProtocolError,
    DecodeError,
    AssertionError,  # of grpclib, for a message that ends too early
    NotImplementedError,  # of grpclib, for a message that is compressed
)

Take = Callable[[NotifyResponse], None]


async def read_broker(
    target: Target, take: Callable[[Told], None], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Call `take` with all that the broker tells, until cancelled, and with a problem whenever it cannot be read."""
    failures = 0

    def got(message: NotifyResponse) -> None:
        nonlocal failures
        failures = 0
        take(judge(message))

    while True:
        problem = await _attempt(target, got)
        if problem:
            take(Told(problem=problem))
        failures += 1
        await sleep(_RETRY.delay(failures))


async def _attempt(target: Target, got: Take) -> str:
    """Read until that ends; returns why, or nothing when the broker merely has had nothing new to say."""
    heard = False

    def hear(message: NotifyResponse) -> None:
        nonlocal heard
        heard = True
        got(message)

    channel = BoundedChannel(target.host, target.port)
    try:
        await _read(CameraStub(channel), hear)
    except GRPCError as error:
        return f"its broker refuses: {error.message or error.status.name}"
    except TimeoutError:
        return "" if heard else f"its broker did not answer within {MESSAGE_SECONDS:g} s"
    except _FAILURES as error:
        return f"its broker cannot be read: {cause_of(error)}"
    finally:
        channel.close()
    return "its broker ended the stream"


async def _read(stub: CameraStub, got: Take) -> None:
    try:
        await _watch(stub, got)
    except GRPCError as error:
        if error.status is not Status.UNIMPLEMENTED:
            raise
        await _ask(stub, got)


async def _watch(stub: CameraStub, got: Take) -> None:
    async with stub.WatchFrames.open() as stream:
        async with asyncio.timeout(MESSAGE_SECONDS):
            await stream.send_message(NotifyRequest(), end=True)
        while True:
            async with asyncio.timeout(MESSAGE_SECONDS):
                message = await stream.recv_message()
            if message is None:
                return
            got(message)


async def _ask(stub: CameraStub, got: Take) -> None:
    while True:
        async with asyncio.timeout(MESSAGE_SECONDS):
            got(await stub.GetFrame(NotifyRequest()))
        await asyncio.sleep(_ASK_SECONDS)
