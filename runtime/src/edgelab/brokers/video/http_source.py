"""A network camera: MJPEG over HTTP, whose pictures are passed on as they come."""

import asyncio
from collections.abc import AsyncGenerator
from http import HTTPStatus

import aiohttp

from edgelab.brokers.http_device import cause_of
from edgelab.brokers.video.capture import CameraError
from edgelab.service.multipart import MjpegReader, NotMjpegError

_CONNECT_SECONDS = 5.0
_PLAY = 0.25
"""Part of a frame's time by which a frame may be early or late: cameras are not that regular."""


class Pace:
    """Which frames to take of a camera that may give more of them a second than wanted."""

    def __init__(self, per_second: int | None) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._due = 0.0

    def takes(self, now: float) -> bool:
        """Whether the frame that came at this time, in seconds by any clock that never goes back, is one of them."""
        play = self._interval * _PLAY
        if now < self._due - play:
            return False
        self._due = max(self._due, now - play) + self._interval
        return True


class HttpSource:
    """The camera at a URL; its size is its own affair, and of its frames no more than `per_second` are taken."""

    def __init__(self, url: str, per_second: int | None = None) -> None:
        self.name, self._per_second = url, per_second

    async def frames(self) -> AsyncGenerator[bytes]:
        """See `Source`."""
        pace, clock = Pace(self._per_second), asyncio.get_running_loop().time
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
        try:
            # The camera is where its Instance says: redirects are not followed.
            async with session, session.get(self.name, allow_redirects=False) as response:
                reader = _reader(response)
                async for piece in response.content.iter_any():
                    for frame in reader.feed(piece):
                        if pace.takes(clock()):
                            yield frame
        except (aiohttp.ClientError, OSError, NotMjpegError) as error:
            raise CameraError(cause_of(error)) from error


def _reader(response: aiohttp.ClientResponse) -> MjpegReader:
    if response.status != HTTPStatus.OK:
        raise CameraError(f"status {response.status}")
    return MjpegReader(response.headers.get("Content-Type", ""))
