"""Virtual cameras, their brokers and the page of cameras in the process of a test; the API server is a stand-in."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from edgelab.brokers.video.capture import Capture
from edgelab.brokers.video.http_source import HttpSource
from edgelab.brokers.video.server import serve_camera
from edgelab.kube.client import connect
from edgelab.lab.cameras.camera import camera
from edgelab.lab.devices.fleet import Fleet, Wanted
from edgelab.lab.page.video.server import serve_page
from edgelab.lab.page.video.view import Head
from edgelab.lab.page.video.wall import Wall
from edgelab.service.multipart import MjpegReader
from edgelab.service.sockets import bind
from standins.api_server import FakeApi, Json, write_kubeconfig
from standins.camera_lab import CONFIGURATION, discover, name


class Cameras:
    """Cameras that run, each with a broker behind a Service of the API server."""

    def __init__(self, fleet: Fleet, api: FakeApi) -> None:
        self.fleet, self.api = fleet, api
        self._brokers: dict[int, AsyncExitStack] = {}

    @property
    def urls(self) -> list[str]:
        return [str(told["url"]) for told in self.fleet.told()]

    @property
    def names(self) -> list[str]:
        """Their Instances."""
        return [name(url) for url in self.urls]

    def viewers(self, number: int = 1) -> int:
        return int(self.fleet.told()[number - 1]["viewers"])

    async def set(self, number: int, **changes: Any) -> None:
        await self.fleet.change(str(number), changes)

    async def start_broker(self, number: int) -> None:
        """Start it, and tell the API server of the camera, its broker and where that answers."""
        stack = self._brokers[number] = AsyncExitStack()
        listener = bind("127.0.0.1", 0)
        await stack.enter_async_context(serve_camera(Capture(HttpSource(self.urls[number - 1])), listener))
        discover(self.api, self.urls[number - 1], listener.getsockname()[1])

    async def kill_broker(self, number: int) -> None:
        await self._brokers.pop(number).aclose()

    async def end(self) -> None:
        for number in list(self._brokers):
            await self.kill_broker(number)


@asynccontextmanager
async def cameras_of(api: FakeApi, directory: Path, count: int = 2, *, fps: float = 20) -> AsyncIterator[Cameras]:
    """Run cameras and their brokers for the block."""
    wanted = Wanted([0] * count, behaviour=lambda number: camera(number, (320, 240), fps))
    async with Fleet(wanted, directory / "cameras.json") as fleet:
        made = Cameras(fleet, api)
        for number in range(1, count + 1):
            await made.start_broker(number)
        try:
            yield made
        finally:
            await made.end()


class VideoPage:
    """The page's server, and a client that folds its events as the page's script does."""

    def __init__(self, base: str, wall: Wall, client: aiohttp.ClientSession) -> None:
        self.base, self.wall, self.client = base, wall, client
        self.head: Json = {}
        self.rows: dict[str, Json] = {}

    async def until(self, seen: Callable[["VideoPage"], bool]) -> "VideoPage":
        """Read events until what they come to is as wanted; fails with that after 15 seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(15), self.client.get(f"{self.base}/events") as answer:
                async for line in answer.content:
                    key, _, text = line.decode().rstrip("\n").partition(": ")
                    if key == "data":
                        self._take(json.loads(text))
                    if self.head and seen(self):
                        return self
        raise AssertionError(f"last seen: {self.head} {self.rows}")

    def _take(self, told: Json) -> None:
        self.head = told["head"]
        changed = {row["id"]: row for row in told["rows"]}
        self.rows = {name: changed.get(name) or self.rows[name] for name in told["order"]}

    async def frames(self, camera: str) -> AsyncGenerator[bytes]:
        """The frames of a camera's stream, or of all with ""."""
        path = f"{camera}/stream" if camera else "stream"
        async with self.client.get(f"{self.base}/cameras/{path}") as answer:
            assert answer.status == 200, await answer.text()
            reader = MjpegReader(answer.headers["Content-Type"])
            async for piece in answer.content.iter_any():
                for frame in reader.feed(piece):
                    yield frame


@asynccontextmanager
async def video_page(api: FakeApi, directory: Path, **options: Any) -> AsyncIterator[VideoPage]:
    """Serve the page of an API server's cameras for the block; options: those of serve_page."""
    client = connect(write_kubeconfig(directory / "kubeconfig", api.port))
    async with aiohttp.ClientSession() as session:
        wall = Wall(client, Head((CONFIGURATION,), "default"))
        running = asyncio.create_task(wall.run())
        async with serve_page(wall, "127.0.0.1", 0, **options) as port:
            yield VideoPage(f"http://127.0.0.1:{port}", wall, session)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def some(page: VideoPage, camera: str, count: int) -> list[bytes]:
    async with asyncio.timeout(20):
        return await taken(page.frames(camera), count)


async def taken(stream: AsyncGenerator[bytes, None], count: int) -> list[bytes]:
    """The first frames of a stream, which is closed then."""
    first: list[bytes] = []
    async with aclosing(stream) as frames:
        async for frame in frames:
            first.append(frame)
            if len(first) == count:
                break
    return first


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds; fails after 20 seconds."""
    for _turn in range(2000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never held")


@asynccontextmanager
async def looking(page: VideoPage, camera: str) -> AsyncIterator[None]:
    """Look at a camera's stream, or at all with "", and read it."""

    async def look() -> None:
        async for _ in page.frames(camera):
            pass

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def is_(camera: str, **fields: object) -> Callable[[VideoPage], bool]:
    return lambda page: camera in page.rows and all(page.rows[camera][key] == value for key, value in fields.items())


def says(camera: str, words: str) -> Callable[[VideoPage], bool]:
    return lambda page: camera in page.rows and words in page.rows[camera]["said"]
