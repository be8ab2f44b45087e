"""V4L2 devices by linuxpy, which is under the GPL: only this module imports it, and only the image of the video broker
has it. Whoever wants the others imports them without this one.
"""

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

from linuxpy.video.device import (
    BufferFlag,
    BufferType,
    Capability,
    Device,
    V4L2Error,
    VideoCapture,
    human_pixel_format,
)

from edgelab.brokers.video.v4l2_source import Format

# It tells each step of every opening; the broker tells what came of it.
logging.getLogger("linuxpy").setLevel(logging.WARNING)


class V4l2Device:
    """See `v4l2_source.Device`. Opens the device when it is made; raises OSError when that fails or it is no camera."""

    def __init__(self, node: str) -> None:
        self._device = Device(Path(node))
        self._capture = VideoCapture(self._device)
        try:
            self._device.open()
            self._capabilities = self._device.info.device_capabilities
        except OSError:
            self.close()
            raise

    def codes(self) -> Sequence[str]:
        """What the driver lists; nothing for a loopback device into which nothing is played."""
        if Capability.VIDEO_CAPTURE not in self._capabilities:
            return []
        listed = self._device.info.buffer_formats(BufferType.VIDEO_CAPTURE)
        return [human_pixel_format(one.pixel_format) for one in listed]

    def start(self, wanted: Format, frames_per_second: int) -> Format:
        """Set format and rate, each as near as the driver comes; loopback devices have what is played into them."""
        with contextlib.suppress(OSError):
            self._capture.set_format(*wanted.size, wanted.code)
        with contextlib.suppress(OSError):
            self._capture.set_fps(frames_per_second)
        try:
            self._capture.open()
        except V4L2Error as error:
            raise OSError(str(error)) from error
        found = self._capture.get_format()
        return Format(human_pixel_format(found.pixel_format), (found.width, found.height))

    def fileno(self) -> int:
        """The device's own."""
        return int(self._device.fileno())

    def read(self) -> bytes:
        """One picture; nothing when the driver says that it is damaged, or has none after all."""
        try:
            frame = self._capture.buffer.raw_read()
        except BlockingIOError:
            return b""
        return b"" if BufferFlag.ERROR in frame.flags else bytes(frame.data)

    def close(self) -> None:
        """Also when the device is gone and refuses to be stopped."""
        with contextlib.suppress(OSError, V4L2Error):
            self._capture.close()
        with contextlib.suppress(OSError):
            self._device.close()
