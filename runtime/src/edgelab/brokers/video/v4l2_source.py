"""A camera of this machine, by its device node: MJPEG is passed on as it comes, raw pictures are made JPEG."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgelab.brokers.video.capture import CameraError
from edgelab.brokers.video.jpeg import trimmed
from edgelab.brokers.video.options import Options
from edgelab.brokers.video.pixels import encoder

_SIZE = (640, 480)
_FRAMES_PER_SECOND = 10
"""Where nothing else is asked for; both as Akri's sample broker."""

_JPEG = ("MJPG", "JPEG")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Format:
    """How a device gives its pictures; code: the four letters of V4L2, such as YUYV."""

    code: str
    size: tuple[int, int]


class Device(Protocol):
    """An open V4L2 device; every call may raise OSError."""

    def codes(self) -> Sequence[str]:
        """The formats it can give now."""

    def start(self, wanted: Format, frames_per_second: int) -> Format:
        """Begin to give pictures; returns the format, which need not be the wanted one."""

    def fileno(self) -> int:
        """Readable when there is a picture, or when the device is gone."""

    def read(self) -> bytes:
        """The picture that is there; nothing when it was spoilt on the way."""

    def close(self) -> None:
        """Let go of it; raises nothing."""


class V4l2Source:
    """The camera at a device node; a size or rate that it does not have becomes the nearest that its driver offers."""

    def __init__(self, node: str, options: Options, open_device: Callable[[str], Device]) -> None:
        self.name, self._options, self._open = node, options, open_device
        self._told: Format | None = None

    async def frames(self) -> AsyncGenerator[bytes]:
        """See `Source`. Setting up a device blocks for the moment that its driver takes."""
        try:
            device = self._open(self.name)
            try:
                to_jpeg = self._start(device)
                while True:
                    await _readable(device.fileno())
                    if (picture := device.read()) and (jpeg := to_jpeg(picture)):
                        yield jpeg
            finally:
                device.close()
        except OSError as error:
            raise CameraError(os.strerror(error.errno).lower() if error.errno else str(error)) from error
        except ValueError as error:
            raise CameraError(f"a picture cannot be read: {error}") from error

    def _start(self, device: Device) -> Callable[[bytes], bytes]:
        wanted = Format(choose(device.codes(), self._options.code), self._options.size or _SIZE)
        found = device.start(wanted, self._options.frames_per_second or _FRAMES_PER_SECOND)
        to_jpeg = trimmed if found.code in _JPEG else encoder(found.code, found.size)
        if to_jpeg is None:
            raise CameraError(f"it gives {found.code}, of which no JPEG can be made here")
        if found != self._told:
            how = "passed on as it is" if found.code in _JPEG else "raw, made JPEG here"
            log.info("%s gives %s of %dx%d: %s", self.name, found.code, *found.size, how)
            self._told = found
        return to_jpeg


def choose(codes: Sequence[str], wanted: str | None) -> str:
    """Which format to ask for: the wanted one, else JPEG, else the first that JPEG can be made of.

    Raises CameraError when there is none.
    """
    for code in (wanted or "", *_JPEG, *codes):
        if code in codes and (code in _JPEG or encoder(code, (2, 2))):
            return code
    if not codes:
        raise CameraError("it has no pictures to give; if it is a loopback device, nothing is played into it")
    raise CameraError(f"it gives {', '.join(codes)}, of which no JPEG can be made here")


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
