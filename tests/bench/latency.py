"""How fast a device becomes a running broker, and how fast it goes; how fast a bound Pod runs."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from edgelab.core.model import Instance
from edgelab.kube.client import Instances, connect
from edgelab.kube.follow import Event, follow
from labkit import Lab
from lightkube import AsyncClient
from lightkube.models.core_v1 import Container, PodSpec, Toleration
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod

Samples = tuple[list[float], float | None, float | None]
Seen = Callable[[Event], bool]

INSTANCE = "akri-debug-echo-aae70c"
BROKER = f"krustlet-wasi-{INSTANCE}-pod"
ARCH = "wasm32-wasi"


def measure(lab: Lab, *, turns: int) -> dict[str, Samples]:
    """Samples, aim and the original's median of each latency, in seconds."""
    return asyncio.run(_measure(lab, turns))


async def _measure(lab: Lab, turns: int) -> dict[str, Samples]:
    client = connect(lab.layout.kubeconfig)
    availability = lab.layout.handlers / "debugEcho" / "debug-echo-availability.txt"
    plugged, unplugged, started = [], [], []
    image = (await client.get(Pod, "wasi-debug-echo", namespace="default")).spec.containers[0].image
    for turn in range(turns):
        unplugged.append(await _unplug(client, availability))
        plugged.append(await _plug(client, availability))
        started.append(await _start(client, image, turn))
    return {
        "device unplugged to Instance gone, through the Wasm handler": (unplugged, 0.3, 5.7),
        "device plugged to broker running, through the Wasm handler": (plugged, 0.8, 6.37),
        "Wasm Pod bound to running, module cached": (started, 0.2, 1.16),
    }


async def _unplug(client: AsyncClient, availability: Path) -> float:
    async with _watching(
        client, Instances, lambda e: e.type == "deleted" and e.object.metadata.name == INSTANCE
    ) as gone:
        start = time.monotonic()
        availability.write_text("OFFLINE")
        seconds = await gone - start
    async with _watching(client, Pod, lambda e: e.type == "listed") as listed:
        await listed
    return seconds


async def _plug(client: AsyncClient, availability: Path) -> float:
    async with _watching(client, Pod, lambda e: _runs(e, BROKER)) as running:
        start = time.monotonic()
        availability.write_text("ONLINE")
        seconds = await running - start
    async with _watching(client, Instances, _in_use) as used:
        await used
    return seconds


async def _start(client: AsyncClient, image: str | None, turn: int) -> float:
    name = f"bench-{turn}"
    pod = Pod(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PodSpec(
            containers=[Container(name="guest", image=image)],
            terminationGracePeriodSeconds=0,
            nodeSelector={"kubernetes.io/arch": ARCH},
            tolerations=[Toleration(key="kubernetes.io/arch", operator="Exists")],
        ),
    )
    bound_seen: list[float] = []

    def runs(event: Event) -> bool:
        if event.type != "listed" and event.object.metadata.name == name and event.object.spec.nodeName:
            bound_seen.append(time.monotonic())
        return _runs(event, name)

    async with _watching(client, Pod, runs) as running:
        await client.create(pod)
        seconds = await running - bound_seen[0]
    await client.delete(Pod, name, namespace="default")
    return seconds


def _runs(event: Event, name: str) -> bool:
    if event.type == "listed" or event.object.metadata.name != name:
        return False
    statuses = (event.object.status and event.object.status.containerStatuses) or []
    return bool(statuses) and all(status.state.running for status in statuses)


def _in_use(event: Event) -> bool:
    return event.object is not None and bool(Instance.from_dict(event.object).device_usage)


@contextlib.asynccontextmanager
async def _watching(client: AsyncClient, resource: Any, seen: Seen) -> AsyncIterator["asyncio.Future[float]"]:
    """A future of the moment when an event is seen; the watch is established before the block begins."""
    moment: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    listed = asyncio.Event()

    async def watch() -> None:
        async for event in follow(client, resource, selectors={"namespace": "default"}):
            if seen(event) and not moment.done():
                moment.set_result(time.monotonic())
            if event.type == "listed":
                listed.set()

    task = asyncio.create_task(watch())
    await listed.wait()
    try:
        yield moment
    finally:
        task.cancel()
