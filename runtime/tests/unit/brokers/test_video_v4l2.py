"""V4L2 cameras: which format is asked for, what is made of its pictures, and how a device is let go of."""

import asyncio
import errno
import io
import os
from collections.abc import Sequence
from contextlib import aclosing

import pytest
from edgelab.brokers.video.capture import CameraError
from edgelab.brokers.video.options import Options
from edgelab.brokers.video.pixels import encoder
from edgelab.brokers.video.v4l2_device import V4l2Device
from edgelab.brokers.video.v4l2_source import Format, V4l2Source, choose
from PIL import Image

JPEG = b"\xff\xd8\xff\xda\x00\x02 a picture \xff\xd9"
RED = (200, 30, 40)

Picture = bytes | OSError


class Loopback:
    """A stand-in for an open V4L2 device: what is written into a pipe is there to be read, a picture a byte."""

    def __init__(self, codes: Sequence[str], pictures: Sequence[Picture], becomes: Format | None = None) -> None:
        self._codes, self._pictures, self._becomes = codes, list(pictures), becomes
        self._reading, self._writing = os.pipe()
        os.write(self._writing, b"." * len(self._pictures))
        self.asked: tuple[Format, int] | None = None
        self.closed = False

    def codes(self) -> Sequence[str]:
        return self._codes

    def start(self, wanted: Format, frames_per_second: int) -> Format:
        self.asked = (wanted, frames_per_second)
        return self._becomes or wanted

    def fileno(self) -> int:
        return self._reading

    def read(self) -> bytes:
        os.read(self._reading, 1)
        picture = self._pictures.pop(0)
        if isinstance(picture, OSError):
            raise picture
        return picture

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)
        self.closed = True


async def some(source: V4l2Source, count: int) -> list[bytes]:
    taken: list[bytes] = []
    async with aclosing(source.frames()) as frames, asyncio.timeout(20):
        async for frame in frames:
            taken.append(frame)
            if len(taken) == count:
                break
    return taken


async def test_mjpeg_is_passed_on_as_it_is() -> None:
    device = Loopback(["YUYV", "MJPG"], [JPEG, JPEG])
    assert await some(V4l2Source("/dev/video10", Options(), lambda _: device), 2) == [JPEG, JPEG]
    assert device.asked == (Format("MJPG", (640, 480)), 10)
    assert device.closed


async def test_the_options_are_asked_for() -> None:
    device = Loopback(["MJPG"], [JPEG])
    await some(V4l2Source("/dev/video10", Options(25, (1280, 720), "YUYV"), lambda _: device), 1)
    assert device.asked == (Format("MJPG", (1280, 720)), 25)


async def test_raw_pictures_are_made_jpeg_in_the_size_that_the_driver_chose() -> None:
    device = Loopback(["GREY"], [bytes([99]) * 320 * 240], Format("GREY", (320, 240)))
    (frame,) = await some(V4l2Source("/dev/video10", Options(), lambda _: device), 1)
    image = Image.open(io.BytesIO(frame))
    assert (image.format, image.size) == ("JPEG", (320, 240))
    assert image.getpixel((100, 100)) == pytest.approx(99, abs=2)


async def test_pictures_that_were_spoilt_are_left_out() -> None:
    device = Loopback(["MJPG"], [b"", JPEG, b"", JPEG[:-2], JPEG + bytes(9)])
    assert await some(V4l2Source("/dev/video10", Options(), lambda _: device), 2) == [JPEG, JPEG]


@pytest.mark.parametrize(
    ("pictures", "reason"),
    [
        ([JPEG, OSError(errno.ENODEV, "No such device")], "no such device"),
        ([b"GIF89a"], "a picture cannot be read: it begins with b'GIF89a'"),
    ],
)
async def test_a_device_that_goes_or_lies_is_let_go_of(pictures: Sequence[Picture], reason: str) -> None:
    device = Loopback(["MJPG"], pictures)
    with pytest.raises(CameraError, match=reason):
        await some(V4l2Source("/dev/video10", Options(), lambda _: device), 5)
    assert device.closed


async def test_a_raw_picture_of_the_wrong_size_is_named() -> None:
    device = Loopback(["RGB3"], [b"short"], Format("RGB3", (64, 64)))
    with pytest.raises(CameraError, match="a picture cannot be read: not enough image data"):
        await some(V4l2Source("/dev/video10", Options(), lambda _: device), 1)


async def test_a_device_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(CameraError, match="no such file or directory"):
        await some(V4l2Source("/dev/no-such-camera", Options(), V4l2Device), 1)


async def test_what_is_no_camera_is_named() -> None:
    with pytest.raises(CameraError, match="inappropriate ioctl for device"):
        await some(V4l2Source("/dev/null", Options(), V4l2Device), 1)


@pytest.mark.parametrize(
    ("codes", "wanted", "chosen"),
    [
        (["YUYV", "MJPG"], None, "MJPG"),
        (["YUYV", "MJPG"], "YUYV", "YUYV"),
        (["YUYV", "JPEG"], "H264", "JPEG"),
        (["H264", "YU12", "YUYV"], None, "YU12"),
        (["H264", "MJPG"], "H264", "MJPG"),
    ],
)
def test_which_format_is_asked_for(codes: Sequence[str], wanted: str | None, chosen: str) -> None:
    assert choose(codes, wanted) == chosen


@pytest.mark.parametrize(
    ("codes", "reason"), [([], "nothing is played into it"), (["H264", "BA81"], "gives H264, BA81, of which no JPEG")]
)
def test_formats_of_which_nothing_can_be_made_are_named(codes: Sequence[str], reason: str) -> None:
    with pytest.raises(CameraError, match=reason):
        choose(codes, None)


def _yuv(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    y, u, v = Image.new("RGB", (1, 1), colour).convert("YCbCr").getpixel((0, 0))  # type: ignore[misc]
    return y, u, v


Y, U, V = _yuv(RED)


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("YUYV", bytes([Y, U, Y, V]) * (64 * 48 // 2)),
        ("UYVY", bytes([U, Y, V, Y]) * (64 * 48 // 2)),
        ("YU12", bytes([Y]) * 64 * 48 + bytes([U]) * 32 * 24 + bytes([V]) * 32 * 24),
        ("NV12", bytes([Y]) * 64 * 48 + bytes([U, V]) * 32 * 24),
        ("RGB3", bytes(RED) * 64 * 48),
        ("BGR3", bytes(RED[::-1]) * 64 * 48),
    ],
)
def test_colours_stay_what_they_are(code: str, data: bytes) -> None:
    encode = encoder(code, (64, 48))
    assert encode
    image = Image.open(io.BytesIO(encode(data))).convert("RGB")
    assert image.size == (64, 48)
    assert all(image.getpixel(at) == pytest.approx(RED, abs=4) for at in ((0, 0), (31, 20), (63, 47)))
    with pytest.raises(ValueError, match="not enough image data"):
        encode(data[:-70])
