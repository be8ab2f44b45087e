"""What the page of cameras makes of brokers that give no pictures, of viewers that do not read, and whom it refuses."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from camerakit import Cameras, VideoPage, is_, looking, says, some, until, video_page
from edgelab.cli.main import main
from edgelab.lab.page.video import server, viewers, wall
from edgelab.service.sockets import bind, serve_grpc
from edgelab.wire.camera_grpc import CameraBase
from edgelab.wire.camera_pb2 import NotifyRequest, NotifyResponse
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream
from standins.api_server import FakeApi
from standins.camera_lab import discover, name


async def test_no_more_cameras_are_shown_than_may_be_and_that_is_told(
    api: FakeApi, video: VideoPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wall, "MOST_CAMERAS", 3)
    for port in range(4001, 4006):
        discover(api, f"http://127.0.0.1:{port}/", 1)
    await video.until(lambda page: page.head["limit"] == "Showing 3 of 5 cameras" and len(page.rows) == 3)


class Akris(CameraBase):
    """A broker that answers GetFrame alone, as Akri's sample does, with what it is given."""

    def __init__(self, *frames: bytes) -> None:
        self.frames = list(frames)

    async def GetFrame(self, stream: Stream[NotifyRequest, NotifyResponse]) -> None:  # noqa: N802
        await stream.recv_message()
        frame = self.frames.pop(0) if len(self.frames) > 1 else self.frames[0]
        await stream.send_message(NotifyResponse(frame=frame, camera="/dev/video0"))

    async def WatchFrames(self, stream: Stream[NotifyRequest, NotifyResponse]) -> None:  # noqa: N802
        raise GRPCError(Status.UNIMPLEMENTED)


JPEG = b"\xff\xd8 a picture \xff\xd9"
URL = "http://127.0.0.1:4001/"


@asynccontextmanager
async def brokered(api: FakeApi, service: CameraBase) -> AsyncIterator[str]:
    listener = bind("127.0.0.1", 0)
    async with serve_grpc(listener, [service]):
        discover(api, URL, listener.getsockname()[1])
        yield name(URL)


async def test_a_broker_of_akris_sample_is_asked_for_frames(api: FakeApi, video: VideoPage) -> None:
    async with brokered(api, Akris(b"", b"", JPEG)) as one, looking(video, ""):
        await video.until(is_(one, state="live", clock="arrival"))
        assert set(await some(video, one, 3)) == {JPEG}


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"", "No frame yet: its broker has no frame"),
        (b"<html>no picture</html>", "No frame yet: a frame is no whole JPEG: b'<html>no'..."),
        (b"\xff\xd8" + bytes(4_000_000), "No frame yet: a frame has 4000002 bytes, more than 4000000"),
    ],
    ids=["empty", "garbage", "large"],
)
async def test_what_is_no_picture_is_told_and_never_passed_on(
    api: FakeApi, video: VideoPage, frame: bytes, said: str
) -> None:
    async with brokered(api, Akris(frame)) as one, looking(video, ""):
        await video.until(is_(one, state="waiting", said=said))
        async with video.client.get(f"{video.base}/cameras/{one}/frame.jpg") as answer:
            assert (answer.status, await answer.text()) == (503, f"{one} gives no frame\n")


class Announcing(Akris):
    """A broker that begins a message of a size that nobody would take."""

    async def WatchFrames(self, stream: Stream[NotifyRequest, NotifyResponse]) -> None:  # noqa: N802
        await stream.recv_message()
        await stream.send_initial_metadata()
        await stream._stream.send_data(b"\0" + (1_000_000_000).to_bytes(4, "big") + bytes(1000))
        await asyncio.Event().wait()


async def test_a_message_that_is_too_large_is_not_waited_for(api: FakeApi, video: VideoPage) -> None:
    async with brokered(api, Announcing(b"")) as one, looking(video, ""):
        await video.until(says(one, "its broker cannot be read: a message has 1000000000 bytes, more than 4194304"))


class Refusing(Akris):
    async def WatchFrames(self, stream: Stream[NotifyRequest, NotifyResponse]) -> None:  # noqa: N802
        raise GRPCError(Status.PERMISSION_DENIED, "not for you")


class Ending(Akris):
    async def WatchFrames(self, stream: Stream[NotifyRequest, NotifyResponse]) -> None:  # noqa: N802
        await stream.recv_message()
        await stream.send_trailing_metadata()


@pytest.mark.parametrize(
    ("service", "said"),
    [(Refusing(b""), "its broker refuses: not for you"), (Ending(b""), "its broker ended the stream")],
    ids=["refusing", "ending"],
)
async def test_a_broker_that_gives_no_stream_is_told(
    api: FakeApi, video: VideoPage, service: CameraBase, said: str
) -> None:
    async with brokered(api, service) as one, looking(video, ""):
        await video.until(says(one, said))


async def test_what_is_no_broker_at_all_is_told(api: FakeApi, video: VideoPage) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as other:
        discover(api, URL, other.sockets[0].getsockname()[1])
        async with looking(video, ""):
            await video.until(says(name(URL), "its broker cannot be read: "))


async def test_a_viewer_that_stops_reading_misses_frames_and_is_dropped(
    api: FakeApi, tmp_path: Path, cameras: Cameras
) -> None:
    first = cameras.names[0]
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(video_page(api, tmp_path, stalled_seconds=0.5))
        await page.until(lambda page: first in page.rows)
        port = int(page.base.rsplit(":", 1)[1])
        stalled = stack.enter_context(socket.socket())
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", port))
        stalled.sendall(b"GET /cameras/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: page.wall.viewers.of(first) == 1)
        await stack.enter_async_context(looking(page, first))
        await until(lambda: page.wall.viewers.of(first) == 2)
        await until(lambda: page.wall.viewers.of(first) == 1)
        waited = await _left(stalled)
        assert waited < 1_000_000
        await page.until(is_(first, state="live", viewers=1))


async def _left(connection: socket.socket) -> int:
    """How many bytes still come before the connection is closed or reset."""
    connection.setblocking(False)
    count = 0
    with suppress(ConnectionResetError):
        async with asyncio.timeout(20):
            while piece := await asyncio.get_running_loop().sock_recv(connection, 65536):
                count += len(piece)
    return count


async def test_the_page_ends_also_when_it_is_told_to_at_the_moment_of_news(api: FakeApi, tmp_path: Path) -> None:
    async with video_page(api, tmp_path) as page:
        running = asyncio.create_task(page.wall.run())
        await asyncio.sleep(0.3)
        with page.wall.viewers.looking(None):
            running.cancel()
        await asyncio.wait([running], timeout=10)
        assert running.cancelled()


async def test_viewers_are_limited(cameras: Cameras, video: VideoPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "MOST_VIEWERS", 2)
    await video.until(lambda page: len(page.rows) == 2)
    url = f"{video.base}/cameras/stream"
    async with video.client.get(url), video.client.get(url), video.client.get(url) as third:
        assert third.status == 503


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/cameras/akri-video-000000/stream", {}, 404),
        ("/cameras/akri-video-000000/frame.jpg", {}, 404),
        ("/cameras/stream", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("/cameras/stream", {"Sec-Fetch-Site": "same-site"}, 403),
        ("/cameras/stream", {"Host": "rebound.example"}, 403),
        ("/metrics", {"Host": "rebound.example"}, 403),
        ("/", {}, 200),
        ("/page.js", {}, 200),
        ("/pictures.js", {}, 200),
        ("/live.js", {}, 200),
        ("/base.css", {}, 200),
        ("/page.css", {}, 200),
        ("/icon.svg", {}, 200),
        ("/healthz", {}, 200),
    ],
)
async def test_what_is_served_and_what_is_refused(
    video: VideoPage, path: str, headers: dict[str, str], status: int
) -> None:
    async with video.client.get(video.base + path, headers=headers) as answer:
        assert answer.status == status
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_no_file_of_the_page_names_another_server() -> None:
    for file in (Path(server.__file__).parent / "static").iterdir():
        assert "://" not in file.read_text().replace("http://www.w3.org/2000/svg", ""), file.name


@pytest.mark.parametrize("names", ["", "a,", ",a"])
def test_wrong_names_of_configurations_are_refused(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["page", "video", "--listen", "127.0.0.1:0", "--run", "r", "--configuration", names])
    assert "is not NAME or NAME,NAME" in capsys.readouterr().err
