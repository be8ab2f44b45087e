"""Virtual cameras and their brokers on this machine: how old a frame is when a client has it, and what it costs.

Every frame has the time of its making in it, so its age is read from the picture itself. Each camera has a broker,
which is a process of its own, and each broker a client here; the frames are looked at after the measurement.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edgelab.lab.cameras.stamp import read_stamp
from edgelab.service.status import ask
from edgelab.wire.camera_grpc import CameraStub
from edgelab.wire.camera_pb2 import NotifyRequest
from figure import Figure
from grpclib.client import Channel
from labkit import eventually
from weight import TICKS, megabytes, ticks

SETTLE_SECONDS = 3
SECONDS = 20
SERVING = "serving camera.Camera on port "

Frames = list[tuple[float, bytes]]
"""When a client had a frame, in seconds since 1970, and the frame."""


def measure(count: int) -> list[Figure]:
    """Ages in milliseconds, processor time and memory, for that many cameras of 640x480 at 10 frames a second."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgelab-bench-")))
        cameras = stack.enter_context(run_cameras(scratch, count))
        urls = [str(told["url"]) for told in ask(scratch / "cameras.sock")["devices"]]
        brokers = [stack.enter_context(run_broker(url)) for url in urls]
        seen, shares = asyncio.run(_watched([port_of(broker) for broker in brokers], [cameras, *brokers]))
        ages = [[1000 * (at - (read_stamp(jpeg) or 0)) for at, jpeg in frames] for frames in seen]
        memory = [megabytes(broker.pid, "Pss:") for broker in brokers]
    named = f"{count} cameras"
    return [
        Figure(f"age of a frame at a broker's client, p50, {named}", "ms", [statistics.median(of) for of in ages], 150),
        Figure(f"age of a frame at a broker's client, p95, {named}", "ms", [most_of(of, 0.95) for of in ages]),
        Figure(f"frames that came, {named}", "a second", [len(of) / SECONDS for of in ages], aim=10),
        Figure(f"processor, a camera of {named}", "% of a core", [shares[0] / count], aim=5),
        Figure(f"processor, a broker of {named}", "% of a core", shares[1:], aim=5),
        Figure(f"PSS, a broker of {named}", "MB", memory),
    ]


async def _watched(ports: list[int], processes: list[subprocess.Popen[str]]) -> tuple[list[Frames], list[float]]:
    """What each client got within SECONDS, and the share of a core that each process took meanwhile, in percent."""
    seen: list[Frames] = [[] for _ in ports]
    clients = [asyncio.create_task(_watch(port, frames)) for port, frames in zip(ports, seen, strict=True)]
    await asyncio.sleep(SETTLE_SECONDS)
    for frames in seen:
        frames.clear()
    before = [ticks([process.pid]) for process in processes]
    await asyncio.sleep(SECONDS)
    spent = [ticks([process.pid]) - used for process, used in zip(processes, before, strict=True)]
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    return seen, [100 * used / TICKS / SECONDS for used in spent]


async def _watch(port: int, frames: Frames) -> None:
    channel = Channel("127.0.0.1", port)
    try:
        async with CameraStub(channel).WatchFrames.open() as stream:
            await stream.send_message(NotifyRequest(), end=True)
            async for message in stream:
                if message.frame:
                    frames.append((time.time(), message.frame))
    finally:
        channel.close()


@contextmanager
def run_cameras(scratch: Path, count: int) -> Iterator[subprocess.Popen[str]]:
    """Cameras for the block; their status socket is cameras.sock in the directory."""
    where = ["--state", str(scratch / "state.json"), "--run", str(scratch), "--discovery-port", "0"]
    with run_process(["devices", "cameras", "--count", str(count), *where], {}) as process:
        eventually((scratch / "cameras.sock").exists, within=30, what="the cameras to run")
        yield process


@contextmanager
def run_broker(url: str) -> Iterator[subprocess.Popen[str]]:
    """The broker of a camera, for the block."""
    command = ["broker", "video", "--listen", "127.0.0.1", "--grpc", "0"]
    with run_process(command, {"AKRI_HTTP_DEVICE_ENDPOINT": url}) as process:
        yield process


@contextmanager
def run_process(words: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`edgelab WORDS` for the block."""
    command = [sys.executable, "-m", "edgelab", *words]
    with subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def port_of(broker: subprocess.Popen[str]) -> int:
    """Where a broker serves, which it tells in its log."""
    assert broker.stderr
    return next(int(line.partition(SERVING)[2].split(":")[0]) for line in broker.stderr if SERVING in line)


def most_of(of: list[float], part: float) -> float:
    """The value that this part of them does not exceed."""
    return sorted(of)[int(len(of) * part)]
