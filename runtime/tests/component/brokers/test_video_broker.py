"""The video broker between real peers: virtual cameras before it, gRPC clients behind it."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from aiohttp import web
from edgelab.brokers.video.capture import Capture
from edgelab.brokers.video.http_source import HttpSource
from edgelab.brokers.video.server import serve_camera
from edgelab.lab.cameras.camera import camera
from edgelab.lab.cameras.stamp import read_stamp
from edgelab.lab.devices.fleet import Fleet, Wanted
from edgelab.service.multipart import OPENING, STREAM_TYPE, part
from edgelab.service.sockets import bind
from edgelab.wire.camera_grpc import CameraStub
from edgelab.wire.camera_pb2 import NotifyRequest, NotifyResponse
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpclib.client import Channel, Stream
from grpclib.exceptions import StreamTerminatedError

JPEG = b"\xff\xd8 a picture \xff\xd9"


@asynccontextmanager
async def broker(url: str, *, per_second: int | None = None, **limits: float) -> AsyncIterator[Channel]:
    """A broker of that camera, and a channel to it."""
    patience = {"patience": limits.pop("patience")} if "patience" in limits else {}
    capture = Capture(HttpSource(url, per_second), **patience)
    listener = bind("127.0.0.1", 0)
    async with serve_camera(capture, listener, **limits):
        channel = Channel("127.0.0.1", listener.getsockname()[1])
        try:
            yield channel
        finally:
            channel.close()


class Cameras:
    """Virtual cameras that run."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    @property
    def urls(self) -> list[str]:
        return [str(told["url"]) for told in self.fleet.told()]

    async def set(self, number: int, **changes: Any) -> None:
        await self.fleet.change(str(number), changes)


@pytest.fixture
async def cameras(tmp_path: Path) -> AsyncIterator[Cameras]:
    wanted = Wanted([0, 0], behaviour=lambda number: camera(number, (320, 240), 20))
    async with Fleet(wanted, tmp_path / "cameras.json") as fleet:
        yield Cameras(fleet)


Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[str]:
    """A server that answers everything so; gives its URL."""
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site.port}/"
    finally:
        await runner.cleanup()


async def watched(channel: Channel, until: Callable[[list[NotifyResponse]], bool]) -> list[NotifyResponse]:
    """What WatchFrames tells until there is enough."""
    seen: list[NotifyResponse] = []
    async with asyncio.timeout(30), CameraStub(channel).WatchFrames.open() as stream:
        await stream.send_message(NotifyRequest(), end=True)
        async for message in stream:
            seen.append(message)
            if until(seen):
                await stream.cancel()
                break
    return seen


def frames(count: int) -> Callable[[list[NotifyResponse]], bool]:
    return lambda seen: sum(1 for message in seen if message.frame) >= count


async def got(channel: Channel) -> NotifyResponse:
    return await CameraStub(channel).GetFrame(NotifyRequest(), timeout=20)


async def problem(channel: Channel) -> str:
    """What is wrong once there was time to try the camera."""
    seen = await watched(channel, lambda seen: seen[-1].problem not in ("", "no frame has come yet"))
    return seen[-1].problem


async def test_frames_come_as_the_camera_made_them(cameras: Cameras) -> None:
    async with broker(cameras.urls[0]) as channel:
        seen = await watched(channel, frames(5))
        assert {message.camera for message in seen} == {cameras.urls[0]}
        taken = [message for message in seen if message.frame]
        assert [message.sequence for message in taken] == list(range(taken[0].sequence, taken[0].sequence + 5))
        made = [read_stamp(message.frame) for message in taken]
        assert made == sorted(set(made))
        assert all(
            stamp is not None and stamp <= message.received_microseconds / 1e6
            for stamp, message in zip(made, taken, strict=True)
        )
        newest = await got(channel)
        assert newest.sequence >= taken[-1].sequence
        assert (newest.camera, newest.problem, newest.frame[:2]) == (cameras.urls[0], "", b"\xff\xd8")


async def test_two_clients_see_the_same_frames(cameras: Cameras) -> None:
    async with broker(cameras.urls[0]) as channel:
        await got(channel)
        one, other = await asyncio.gather(watched(channel, frames(5)), watched(channel, frames(5)))
        by_sequence = {message.sequence: message.frame for message in one}
        both = [message for message in other if message.sequence in by_sequence]
        assert len(both) >= 3
        assert all(by_sequence[message.sequence] == message.frame for message in both)
        assert cameras.fleet.told()[0]["viewers"] == 1


async def test_brokers_of_two_cameras_tell_them_apart(cameras: Cameras) -> None:
    async with broker(cameras.urls[0]) as first, broker(cameras.urls[1]) as second:
        one, other = await asyncio.gather(got(first), got(second))
        assert (one.camera, other.camera) == tuple(cameras.urls)
        assert one.frame != other.frame


AKRI = FileDescriptorProto(
    name="akri/camera.proto",
    package="camera.akri",
    syntax="proto3",
    message_type=[
        DescriptorProto(
            name="NotifyResponse",
            field=[
                FieldDescriptorProto(name="frame", number=1, type="TYPE_BYTES", label="LABEL_OPTIONAL"),
                FieldDescriptorProto(name="camera", number=2, type="TYPE_STRING", label="LABEL_OPTIONAL"),
            ],
        )
    ],
)
"""What clients of Akri's sample know of an answer."""


async def test_a_client_that_knows_akris_fields_alone_is_served(cameras: Cameras) -> None:
    pool = DescriptorPool()
    pool.Add(AKRI)
    response = GetMessageClass(pool.FindMessageTypeByName("camera.akri.NotifyResponse"))
    async with (
        broker(cameras.urls[0]) as channel,
        grpc.aio.insecure_channel(f"127.0.0.1:{channel._port}") as theirs,
    ):
        call = theirs.unary_unary("/camera.Camera/GetFrame", response_deserializer=response.FromString)
        seen = await call(b"", timeout=20)
        assert seen.camera == cameras.urls[0]
        assert read_stamp(seen.frame) is not None


async def test_a_camera_unplugged_mid_stream_leaves_no_frame_and_comes_back(cameras: Cameras) -> None:
    async with broker(cameras.urls[0]) as channel:
        watching = asyncio.create_task(watched(channel, lambda seen: seen[-1].sequence > 5 and bool(seen[-1].frame)))
        first = await got(channel)
        await cameras.set(1, plugged=False)
        await watched(channel, lambda seen: bool(seen[-1].problem))
        gone = await got(channel)
        assert (gone.frame, gone.camera, gone.received_microseconds) == (b"", cameras.urls[0], 0)
        assert gone.problem
        await cameras.set(1, plugged=True)
        back = (await watched(channel, frames(1)))[-1]
        assert back.sequence > gone.sequence >= first.sequence
        assert "" in {message.problem for message in await watching}


async def test_a_camera_that_was_never_there_is_served_as_an_empty_frame(cameras: Cameras) -> None:
    await cameras.set(1, plugged=False)
    async with broker(cameras.urls[0]) as channel:
        empty = await got(channel)
        assert (empty.frame, empty.sequence) == (b"", 0)
        assert "refused" in empty.problem or "cannot connect" in empty.problem.lower()


async def test_a_slow_camera_gives_what_it_has(cameras: Cameras) -> None:
    await cameras.set(1, delay_seconds=0.3)
    async with broker(cameras.urls[0]) as channel:
        assert frames(2)(await watched(channel, frames(2)))


async def test_a_failing_camera_is_named_and_tried_again(cameras: Cameras) -> None:
    await cameras.set(1, failing=True)
    async with broker(cameras.urls[0]) as channel:
        assert await problem(channel) == "status 503"
        await cameras.set(1, failing=False)
        assert frames(1)(await watched(channel, frames(1)))


async def _burst(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": STREAM_TYPE})
    await response.prepare(request)
    await response.write(OPENING + part(JPEG) * 50)
    return response


@pytest.mark.parametrize(("per_second", "count"), [(None, 50), (1, 1)])
async def test_no_more_frames_are_taken_than_wanted(per_second: int | None, count: int) -> None:
    async with served(_burst) as url, broker(url, per_second=per_second) as channel:
        seen = await watched(channel, lambda seen: bool(seen[-1].sequence and seen[-1].problem))
        assert (seen[-1].sequence, seen[-1].problem) == (count, "the camera ended its stream")


async def _silent(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": STREAM_TYPE})
    await response.prepare(request)
    await response.write(OPENING + part(JPEG))
    await asyncio.Event().wait()
    return response


async def _html(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="<html>not a camera", content_type="text/html")


async def _huge(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": STREAM_TYPE})
    await response.prepare(request)
    await response.write(b"--frame\r\n\r\n\xff\xd8")
    while True:
        await response.write(bytes(1_000_000))


async def _garbage(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": STREAM_TYPE})
    await response.prepare(request)
    await response.write(b"hello " * 10_000)
    return response


async def _elsewhere(_request: web.BaseRequest) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_html, "the answer is 'text/html; charset=utf-8', not multipart/x-mixed-replace"),
        (_huge, "there is no end of a picture within 4000000 bytes"),
        (_garbage, "there is no boundary within 16384 bytes"),
        (_elsewhere, "status 302"),
        (_silent, "no frame within 0.5 s"),
    ],
    ids=["html", "huge", "garbage", "redirect", "silent"],
)
async def test_what_is_no_camera_is_told_to_clients(answer: Answer, reason: str) -> None:
    async with served(answer) as url, broker(url, patience=0.5) as channel:
        assert await problem(channel) == reason


async def _fast(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": STREAM_TYPE})
    await response.prepare(request)
    await response.write(OPENING)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(part(b"\xff\xd8" + bytes(300_000) + b"\xff\xd9"))
            await asyncio.sleep(0.02)
    return response


@pytest.mark.parametrize("whole_connection", [False, True], ids=["stream", "connection"])
async def test_a_client_that_stops_reading_holds_nobody_up_and_is_dropped(whole_connection: bool) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(_fast))
        channel = await stack.enter_async_context(broker(url, stalled_seconds=0.3))
        idle = Channel(channel._host, channel._port)
        stack.callback(idle.close)
        stream = CameraStub(idle).WatchFrames.open()
        await stream.__aenter__()
        await stream.send_message(NotifyRequest(), end=True)
        assert await stream.recv_message()
        transport = stream._stream._transport
        if whole_connection:
            transport.pause_reading()
        assert frames(30)(await watched(channel, frames(30)))
        transport.resume_reading()
        with pytest.raises(StreamTerminatedError):
            async with asyncio.timeout(20):
                await _read_to_its_end(stream)


async def _read_to_its_end(stream: Stream[NotifyRequest, NotifyResponse]) -> None:
    while await stream.recv_message():
        pass


async def test_the_command_serves_until_told_to_end_also_while_somebody_watches(cameras: Cameras) -> None:
    environment = {**os.environ, "AKRI_HTTP_DEVICE_ENDPOINT_1A2B3C": cameras.urls[0], "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "edgelab", "broker", "video", "--listen", "127.0.0.1", "--grpc", "0"]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    assert process.stderr
    async for line in process.stderr:
        if serving := re.search(rb"serving camera.Camera on port (\d+): (\S+)", line):
            break
    else:
        raise AssertionError("it ended")
    assert serving[2].decode() == cameras.urls[0]
    channel = Channel("127.0.0.1", int(serving[1]))
    watching = asyncio.create_task(watched(channel, lambda _: False))
    assert (await got(channel)).frame
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    with pytest.raises(StreamTerminatedError):
        await watching
    channel.close()


def test_the_command_without_a_camera_says_so() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AKRI_", "UDEV_"))}
    command = [sys.executable, "-m", "edgelab", "broker", "video"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "no UDEV_DEVNODE and no AKRI_HTTP_DEVICE_ENDPOINT" in ended.stderr
