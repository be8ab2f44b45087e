"""The gRPC service of a camera's broker, field-compatible with Akri's camera sample (wire/camera.proto)."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from edgelab.brokers.video.capture import Capture, Newest, Shot
from edgelab.service.sockets import serve_grpc
from edgelab.wire import camera_pb2 as wire
from edgelab.wire.camera_grpc import CameraBase

if TYPE_CHECKING:
    from grpclib.server import Stream

    Answers = Stream[wire.NotifyRequest, wire.NotifyResponse]

FIRST_SECONDS = 1.0
"""How long a call waits for a camera that gives no frames. Clients of Akri's sample call again at once."""

STALLED_SECONDS = 20.0
"""A client that has not taken a frame for so long is dropped."""

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def serve_camera(
    capture: Capture, listener: socket.socket, *, stalled_seconds: float = STALLED_SECONDS
) -> AsyncIterator[None]:
    """Read the camera and serve its frames on a socket that is bound, while the block runs."""
    service = _CameraService(capture.name, capture.newest, stalled_seconds)
    reading = asyncio.create_task(capture.run())
    try:
        async with serve_grpc(listener, [service]):
            log.info("serving camera.Camera on port %d: %s", listener.getsockname()[1], capture.name)
            yield
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading


class _CameraService(CameraBase):
    def __init__(self, name: str, newest: Newest, stalled_seconds: float) -> None:
        self._name, self._newest, self._stalled = name, newest, stalled_seconds

    async def GetFrame(self, stream: "Answers") -> None:  # noqa: N802
        """The newest frame at once; an empty one, as of Akri's sample, when none comes within FIRST_SECONDS."""
        await stream.recv_message()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS):
                while self._newest.shot.problem:
                    await self._newest.after(self._newest.shot)
        await stream.send_message(self._told(self._newest.shot))

    async def WatchFrames(self, stream: "Answers") -> None:  # noqa: N802
        """Each newest frame as it comes; a client that does not read misses frames and is dropped after a while."""
        await stream.recv_message()
        shot = None
        try:
            while True:
                shot = await self._newest.after(shot)
                async with asyncio.timeout(self._stalled):
                    await stream.send_message(self._told(shot))
        except TimeoutError:
            log.info("a client took no frame for %g s: its stream is ended", self._stalled)
            # In the middle of a message, a stream cannot be ended but by a reset.
            await stream.cancel()

    def _told(self, shot: Shot) -> wire.NotifyResponse:
        return wire.NotifyResponse(
            frame=shot.jpeg,
            camera=self._name,
            received_microseconds=round(shot.received * 1_000_000) if shot.jpeg else 0,
            sequence=shot.sequence,
            problem=shot.problem,
        )
