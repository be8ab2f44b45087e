"""The page of cameras on this machine: how old a frame is when a browser would have it, and what the page costs.

The page's server is a process of its own, its one viewer is here, and what an API server would tell comes from the
tests' stand-in, to which the page only listens.
"""

import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
from edgelab.lab.cameras.stamp import read_stamp
from edgelab.service.multipart import MjpegReader
from edgelab.service.status import ask
from figure import Figure
from labkit import eventually
from standins.api_server import FakeApi, write_kubeconfig
from standins.camera_lab import CONFIGURATION, discover
from video import SECONDS, SETTLE_SECONDS, Frames, most_of, port_of, run_broker, run_cameras, run_process
from weight import TICKS, megabytes, ticks


def measure(count: int) -> list[Figure]:
    """Ages in milliseconds, processor time and memory, for that many cameras of 640x480 at 10 frames a second."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgelab-bench-")))
        stack.enter_context(run_cameras(scratch, count))
        urls = [str(told["url"]) for told in ask(scratch / "cameras.sock")["devices"]]
        ports = {url: port_of(stack.enter_context(run_broker(url))) for url in urls}
        frames, share, memory = asyncio.run(_looked_at(scratch, ports))
    ages = [1000 * (at - (read_stamp(jpeg) or 0)) for at, jpeg in frames]
    named = f"{count} cameras"
    return [
        Figure(f"age of a frame at the page's viewer, p50, {named}", "ms", [statistics.median(ages)], 150),
        Figure(f"age of a frame at the page's viewer, p95, {named}", "ms", [most_of(ages, 0.95)]),
        Figure(f"frames that came of a camera, page, {named}", "a second", [len(frames) / SECONDS / count], aim=10),
        Figure(f"processor, page, a camera of {named}", "% of a core", [share / count], aim=5),
        Figure(f"PSS, page, {named}", "MB", [memory]),
    ]


async def _looked_at(scratch: Path, ports: dict[str, int]) -> tuple[Frames, float, float]:
    """What a viewer of all cameras got within SECONDS; the page's share of a core, in percent, and its memory."""
    api = FakeApi()
    await api.back()
    for url, port in ports.items():
        discover(api, url, port)
    kubeconfig = write_kubeconfig(scratch / "kubeconfig", api.port)
    with _page(scratch, kubeconfig) as page:
        url = (await asyncio.to_thread(_ready, scratch))["url"]
        frames: Frames = []
        viewer = asyncio.create_task(_look(f"{url}cameras/stream", frames))
        await asyncio.sleep(SETTLE_SECONDS)
        frames.clear()
        before = ticks([page.pid])
        await asyncio.sleep(SECONDS)
        share = 100 * (ticks([page.pid]) - before) / TICKS / SECONDS
        memory = megabytes(page.pid, "Pss:")
        viewer.cancel()
        await asyncio.gather(viewer, return_exceptions=True)
    await api.away()
    return frames, share, memory


def _ready(scratch: Path) -> dict[str, str]:
    def look() -> dict[str, str]:
        status = ask(scratch / "page.sock") if (scratch / "page.sock").exists() else {}
        return status if status.get("ready") else {}

    return eventually(look, within=30, what="the page to be ready")


async def _look(url: str, frames: Frames) -> None:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        reader = MjpegReader(answer.headers["Content-Type"])
        async for piece in answer.content.iter_any():
            frames += [(time.time(), frame) for frame in reader.feed(piece)]


@contextmanager
def _page(scratch: Path, kubeconfig: Path) -> Iterator[subprocess.Popen[str]]:
    cluster = ["--kubeconfig", str(kubeconfig), "--configuration", CONFIGURATION]
    with run_process(["page", "video", *cluster, "--listen", "127.0.0.1:0", "--run", str(scratch)], {}) as process:
        yield process
