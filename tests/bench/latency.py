"""How fast a device becomes a running broker, and how fast it goes; how fast a bound Pod runs."""

import asyncio
import time
from pathlib import Path

from edgelab.core.model import Instance
from edgelab.kube.client import Instances, connect
from edgelab.kube.follow import Event
from figure import Figure
from labkit import Lab
from lightkube import AsyncClient
from lightkube.models.core_v1 import Container, PodSpec, Toleration
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod
from moments import NAMESPACE, bound, deleted, moment, runs

INSTANCE = "akri-debug-echo-aae70c"
BROKER = f"krustlet-wasi-{INSTANCE}-pod"
ARCH = "wasm32-wasi"


def measure(lab: Lab, *, turns: int) -> list[Figure]:
    """Latencies on a running lab with the demo in it, in seconds; each turn is one sample of each."""
    return asyncio.run(_measure(lab, turns))


async def _measure(lab: Lab, turns: int) -> list[Figure]:
    client = connect(lab.layout.kubeconfig)
    availability = lab.layout.handlers / "debugEcho" / "debug-echo-availability.txt"
    spec = (await client.get(Pod, "wasi-debug-echo", namespace=NAMESPACE)).spec
    assert spec, "the demo's handler is a Pod"
    image = spec.containers[0].image
    plugged, unplugged, started = [], [], []
    for turn in range(turns):
        unplugged.append(await _unplug(client, availability))
        plugged.append(await _plug(client, availability))
        started.append(await _start(client, image, f"bench-{turn}"))
    return [
        Figure("device plugged to broker running, through the Wasm handler", "s", plugged, aim=0.8, original=6.37),
        Figure("device unplugged to Instance gone, through the Wasm handler", "s", unplugged, aim=0.3, original=5.7),
        Figure("Wasm Pod bound to running, module cached", "s", started, aim=0.2, original=1.16),
    ]


async def _unplug(client: AsyncClient, availability: Path) -> float:
    async with (
        moment(client, Instances, lambda event: deleted(event, INSTANCE)) as gone,
        moment(client, Pod, lambda event: deleted(event, BROKER)) as broker_gone,
    ):
        start = time.time()
        availability.write_text("OFFLINE")
        seconds = await gone - start
        await broker_gone
    return seconds


async def _plug(client: AsyncClient, availability: Path) -> float:
    async with (
        moment(client, Pod, lambda event: runs(event, BROKER)) as running,
        moment(client, Instances, _in_use) as used,
    ):
        start = time.time()
        availability.write_text("ONLINE")
        seconds = await running - start
        await used
    return seconds


async def _start(client: AsyncClient, image: str | None, name: str) -> float:
    async with (
        moment(client, Pod, lambda event: bound(event, name)) as is_bound,
        moment(client, Pod, lambda event: runs(event, name)) as running,
    ):
        await client.create(_pod(name, image))
        seconds = await running - await is_bound
    async with moment(client, Pod, lambda event: deleted(event, name)) as gone:
        await client.delete(Pod, name, namespace=NAMESPACE)
        await gone
    return seconds


def _pod(name: str, image: str | None) -> Pod:
    # Removed at once: the guest would not end within the grace period on its own.
    return Pod(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE),
        spec=PodSpec(
            containers=[Container(name="guest", image=image)],
            terminationGracePeriodSeconds=0,
            nodeSelector={"kubernetes.io/arch": ARCH},
            tolerations=[Toleration(operator="Exists")],
        ),
    )


def _in_use(event: Event) -> bool:
    return event.object is not None and any(Instance.from_dict(event.object).device_usage.values())
