"""The adapter of linuxpy against a stand-in for the kernel: the calls of V4L2 that it makes, in their order.

Real drivers are met on the edge host; what is proved here is that the adapter uses the library as it is.
"""

import errno
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from edgelab.brokers.video.v4l2_device import V4l2Device
from edgelab.brokers.video.v4l2_source import Format
from linuxpy.video import device as linuxpy
from linuxpy.video import raw

JPEG = b"\xff\xd8 a picture \xff\xd9"
MJPG = int(raw.PixelFormat.MJPEG)


class Kernel:
    """A V4L2 loopback device into which MJPEG of 640x480 is played; its memory is a file."""

    def __init__(self) -> None:
        self.file = os.memfd_create("video")
        os.ftruncate(self.file, 2 * mmap.PAGESIZE)
        self.path = f"/proc/self/fd/{self.file}"
        self.capabilities = raw.Capability.VIDEO_CAPTURE | raw.Capability.STREAMING
        self.refused: set[str] = set()
        self.queued: list[int] = []
        self.flags = 0
        self.calls: list[str] = []

    def ioctl(self, _descriptor: Any, request: raw.IOC, about: Any) -> Any:
        self.calls.append(request.name)
        if request.name in self.refused:
            raise OSError(errno.EINVAL, "Invalid argument")
        answer: Callable[[Any], None] | None = getattr(self, request.name.lower(), None)
        if answer:
            answer(about)
        return about

    def querycap(self, about: Any) -> None:
        about.device_caps = int(self.capabilities)

    def enum_fmt(self, about: Any) -> None:
        if about.index:
            raise OSError(errno.EINVAL, "Invalid argument")
        about.pixelformat = MJPG

    def g_fmt(self, about: Any) -> None:
        about.fmt.pix.width, about.fmt.pix.height, about.fmt.pix.pixelformat = 640, 480, MJPG

    def querybuf(self, about: Any) -> None:
        about.length, about.m.offset = mmap.PAGESIZE, about.index * mmap.PAGESIZE

    def qbuf(self, about: Any) -> None:
        self.queued.append(about.index)

    def dqbuf(self, about: Any) -> None:
        if not self.queued:
            raise BlockingIOError(errno.EAGAIN, "Try again")
        about.index, about.bytesused, about.flags = self.queued.pop(0), len(JPEG), self.flags
        os.pwrite(self.file, JPEG, about.index * mmap.PAGESIZE)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    made = Kernel()
    monkeypatch.setattr(linuxpy, "ioctl", made.ioctl)
    yield made
    os.close(made.file)


def test_a_device_is_set_up_read_and_let_go_of(kernel: Kernel) -> None:
    device = V4l2Device(kernel.path)
    assert device.codes() == ["MJPG"]
    assert device.start(Format("YUYV", (320, 240)), 15) == Format("MJPG", (640, 480))
    descriptor = device.fileno()
    assert [device.read() for _turn in range(5)] == [JPEG] * 5
    device.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    order = ["S_FMT", "S_PARM", "REQBUFS", "QUERYBUF", "QBUF", "STREAMON", "DQBUF", "STREAMOFF"]
    assert sorted(order, key=kernel.calls.index) == order


def test_what_a_driver_refuses_to_set_it_keeps(kernel: Kernel) -> None:
    kernel.refused = {"S_FMT", "S_PARM"}
    device = V4l2Device(kernel.path)
    assert device.start(Format("MJPG", (320, 240)), 15) == Format("MJPG", (640, 480))
    assert device.read() == JPEG
    device.close()


def test_damaged_pictures_and_none_are_nothing(kernel: Kernel) -> None:
    device = V4l2Device(kernel.path)
    device.start(Format("MJPG", (640, 480)), 10)
    kernel.flags = int(raw.BufferFlag.ERROR)
    assert device.read() == b""
    kernel.queued.clear()
    assert device.read() == b""
    device.close()


def test_a_loopback_device_that_nothing_is_played_into_has_no_formats(kernel: Kernel) -> None:
    kernel.capabilities = raw.Capability.VIDEO_OUTPUT | raw.Capability.STREAMING
    device = V4l2Device(kernel.path)
    assert device.codes() == []
    with pytest.raises(OSError, match="VIDEO_CAPTURE"):
        device.start(Format("MJPG", (640, 480)), 10)
    device.close()


def test_a_device_that_is_gone_is_let_go_of(kernel: Kernel) -> None:
    device = V4l2Device(kernel.path)
    device.start(Format("MJPG", (640, 480)), 10)
    kernel.refused = {"DQBUF", "STREAMOFF", "REQBUFS"}
    with pytest.raises(OSError, match="Invalid argument"):
        device.read()
    descriptor = device.fileno()
    device.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_what_is_no_video_device_is_not_kept_open(kernel: Kernel) -> None:
    kernel.refused = {"QUERYCAP"}
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    with pytest.raises(OSError, match="Invalid argument"):
        V4l2Device(kernel.path)
    assert len(list(descriptors.iterdir())) == before
