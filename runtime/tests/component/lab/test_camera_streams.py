"""Virtual cameras on real ports: streamed to several viewers, plugged and unplugged, slow, failing, not read."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from camerakit import taken, until
from edgelab.cli.main import main
from edgelab.lab.cameras.camera import Camera, camera
from edgelab.lab.cameras.stamp import read_stamp
from edgelab.lab.devices.fleet import Fleet, Wanted
from edgelab.lab.devices.server import serve_discovery
from edgelab.service.multipart import MjpegReader
from processes import until_ready

SIZE = (320, 240)


class Lab:
    """Cameras that run, and a client of them."""

    def __init__(self, fleet: Fleet, client: aiohttp.ClientSession, base: str) -> None:
        self.fleet, self.client, self.base = fleet, client, base

    @property
    def urls(self) -> list[str]:
        return [str(told["url"]) for told in self.fleet.told()]

    def viewers(self, number: int = 1) -> int:
        return int(self.fleet.told()[number - 1]["viewers"])

    async def set(self, number: int, **changes: Any) -> None:
        body = json.dumps(changes)
        headers = {"Content-Type": "application/json"}
        async with self.client.patch(f"{self.base}/devices/{number}", data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def frames(self, url: str) -> AsyncGenerator[bytes]:
        async with self.client.get(url) as answer:
            assert answer.status == 200
            reader = MjpegReader(answer.headers["Content-Type"])
            async for piece in answer.content.iter_any():
                for frame in reader.feed(piece):
                    yield frame

    async def some(self, url: str, count: int) -> list[bytes]:
        return await taken(self.frames(url), count)


@asynccontextmanager
async def running(state: Path, behaviour: Callable[[int], Any], count: int = 2) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(Wanted([0] * count, behaviour=behaviour), state))
        port = await stack.enter_async_context(serve_discovery(fleet, "127.0.0.1", 0))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        yield Lab(fleet, client, f"http://127.0.0.1:{port}")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running(tmp_path / "cameras.json", lambda number: camera(number, SIZE, 30)) as made:
        yield made


async def test_frames_follow_each_other_and_cameras_differ(lab: Lab) -> None:
    first, second = await asyncio.gather(*(lab.some(url, 5) for url in lab.urls))
    for frames in (first, second):
        times = [read_stamp(frame) for frame in frames]
        assert times == sorted(set(times))
    assert not set(first) & set(second)


async def test_all_viewers_of_a_camera_see_the_same_frames_which_are_made_once(tmp_path: Path) -> None:
    made: list[float] = []

    def film(seconds: float) -> bytes:
        made.append(seconds)
        return b"\xff\xd8 %.6f \xff\xd9" % seconds

    async with running(tmp_path / "c.json", lambda number: Camera(number, film, 20), count=1) as lab:
        assert made == []
        views = await asyncio.gather(*(lab.some(lab.urls[0], 8) for _turn in range(5)))
        seen = {frame for view in views for frame in view}
        assert len(seen) <= len(made) < 5 * 8
        await until(lambda: lab.viewers() == 0)
        count = len(made)
        assert (await lab.some(lab.urls[0], 1))[0] not in seen
        assert len(made) <= count + 2


async def test_a_snapshot_is_a_frame_of_now(lab: Lab) -> None:
    async with lab.client.get(f"{lab.urls[0]}snapshot.jpg") as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
        assert answer.headers["Cache-Control"] == "no-store"
        assert read_stamp(await answer.read()) is not None


async def test_cameras_are_listed_for_the_handler(lab: Lab) -> None:
    async with lab.client.get(f"{lab.base}/discovery") as answer:
        assert (await answer.text()).split() == lab.urls
    await lab.set(1, plugged=False)
    async with lab.client.get(f"{lab.base}/discovery") as answer:
        assert (await answer.text()).split() == lab.urls[1:]


async def test_unplugging_ends_a_stream_and_plugging_brings_it_back(lab: Lab) -> None:
    url = lab.urls[0]
    stream = lab.frames(url)
    await anext(stream)
    await lab.set(1, plugged=False)
    with pytest.raises(aiohttp.ClientPayloadError):
        async for _frame in stream:
            pass
    with pytest.raises(aiohttp.ClientConnectorError):
        await lab.some(url, 1)
    await lab.set(1, plugged=True)
    assert len(await lab.some(url, 2)) == 2


async def test_a_camera_that_begins_to_fail_ends_its_streams_and_refuses(lab: Lab) -> None:
    stream = lab.frames(lab.urls[0])
    await anext(stream)
    await lab.set(1, failing=True)
    async with asyncio.timeout(20):
        async for _frame in stream:
            pass
    async with lab.client.get(lab.urls[0]) as answer:
        assert answer.status == 503


async def test_a_slow_camera_gives_fewer_frames_than_its_neighbour(lab: Lab) -> None:
    await lab.set(1, delay_seconds=0.2)
    slow = asyncio.create_task(lab.some(lab.urls[0], 3))
    await lab.some(lab.urls[1], 3)
    assert not slow.done()
    assert len(await slow) == 3


async def test_a_camera_has_no_value_to_be_set(lab: Lab) -> None:
    with pytest.raises(AssertionError, match="value: not one of plugged, delay_seconds, failing"):
        await lab.set(1, value=3)


async def test_a_viewer_that_stops_reading_misses_frames_and_is_dropped(tmp_path: Path) -> None:
    big = b"\xff\xd8" + bytes(500_000) + b"\xff\xd9"
    made: list[float] = []

    def film(seconds: float) -> bytes:
        made.append(seconds)
        return big

    def behaviour(number: int) -> Camera:
        return Camera(number, film, 50, stalled_seconds=0.5)

    async with running(tmp_path / "c.json", behaviour, count=1) as lab:
        host, port = "127.0.0.1", int(lab.urls[0].split(":")[2].strip("/"))
        with socket.create_connection((host, port)) as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            stalled.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            stalled.setblocking(False)
            await until(lambda: lab.viewers() == 1)
            assert len(await lab.some(lab.urls[0], 5)) == 5
            await until(lambda: lab.viewers() == 0)
            count = len(made)
            waited = 0
            async with asyncio.timeout(20):
                while piece := await asyncio.get_running_loop().sock_recv(stalled, 65536):
                    waited += len(piece)
        assert waited < 3 * len(big)
        assert len(made) == count
        assert len(await lab.some(lab.urls[0], 2)) == 2


def test_the_command_runs_cameras_without_pillow_for_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--state", str(tmp_path / "c.json"), "--discovery-port", "0", "--count", "2", "--run", str(tmp_path)]
    command = [sys.executable, "-m", "edgelab", "devices", "cameras", "--size", "320x240", *words]
    with subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
        try:
            told = until_ready(tmp_path / "cameras.sock", process)
            assert [one["viewers"] for one in told["devices"]] == [0, 0]
            change = ["devices", "set", "2", "plugged=no", "--run", str(tmp_path), "--name", "cameras"]
            assert main(change) == 0
            assert json.loads(capsys.readouterr().out)["plugged"] is False
        finally:
            process.terminate()
        assert process.wait(20) == 0
    imported = "import sys, edgelab.lab.devices.command; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imported], check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--size", "640"], "'640' is no size"),
        (["--size", "641x480"], "in steps of 8"),
        (["--size", "64x48"], "from 320x240 to 1920x1080"),
        (["--fps", "0"], "from 1 to 60"),
        (["--path", "/x"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments_are_refused(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--state", "d", "--discovery-port", "0", "--count", "1", "--run", "r"]
    with pytest.raises(SystemExit):
        main(["devices", "cameras", *given, *words])
    assert reason in capsys.readouterr().err
