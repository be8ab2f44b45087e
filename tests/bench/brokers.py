"""A Wasm broker beside a container broker of the same device: how soon it tells a value, and what it weighs.

Both are the HTTP demo's standalone broker, which Akri's controller makes on one Kind cluster when the device is plugged
in; images and modules are on their nodes before. First values are timed by the logs' own timestamps. Needs what
tests/kind needs: root, and Podman.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import image
import machine
import variables
from edgelab.kube.client import connect
from edgelab.service.status import ask
from figure import Figure
from labkit import Lab, eventually
from lightkube import AsyncClient
from lightkube.resources.core_v1 import Pod
from moments import bound, deleted, moment, runs
from pod_memory import container_memory, wasm_memory

DEMO: dict[str, Any] = {
    "lab_demo": "http",
    "demo_http_stage": "standalone",
    "demo_http_devices": 3,
    "demo_http_interval": 1,
}
KINDS = {"wasm": "a Wasm broker", "containers": "a container broker"}


@contextmanager
def kind_lab(lab: Lab) -> Iterator[Lab]:
    """The lab on Kind, without a demo, for the block."""
    machine.prepare()
    before = dict(os.environ)
    os.environ.update(machine.environment())
    try:
        lab.variables.update(variables.lab(image.ensure()))
        lab.playbook("up.yml")
        yield lab
    finally:
        lab.remove()
        os.environ.clear()
        os.environ.update(before)


def measure(lab: Lab, *, turns: int) -> Iterator[Figure]:
    """Seconds and megabytes of each kind of broker; turns: samples of the seconds."""
    for kind, named in KINDS.items():
        lab.playbook("site.yml", **DEMO, demo_http_brokers=kind)
        starts = asyncio.run(_starts(lab, turns))
        yield Figure(f"{named}, bound to running", "s", starts.running)
        yield Figure(f"{named}, bound to first value", "s", starts.value)
        yield from _memory(lab, kind, named)


@dataclass(slots=True)
class _Starts:
    running: list[float] = field(default_factory=list)
    value: list[float] = field(default_factory=list)


async def _starts(lab: Lab, turns: int) -> _Starts:
    client = connect(lab.layout.kubeconfig)
    broker = _broker_of_device(lab, "1")
    starts = _Starts()
    for _turn in range(turns):
        async with moment(client, Pod, lambda event: deleted(event, broker)) as gone:
            _plug(lab, "1", plugged=False)
            await gone
        at, running = await _replugged(client, lab, broker)
        starts.running.append(running - at)
        starts.value.append(_first_value(lab, broker) - at)
    return starts


async def _replugged(client: AsyncClient, lab: Lab, broker: str) -> tuple[float, float]:
    """When the broker of the device, which is plugged in now, was bound, and when it ran."""
    async with (
        moment(client, Pod, lambda event: bound(event, broker)) as is_bound,
        moment(client, Pod, lambda event: runs(event, broker)) as is_running,
    ):
        _plug(lab, "1", plugged=True)
        return await is_bound, await is_running


def _first_value(lab: Lab, broker: str) -> float:
    def look() -> str:
        lines = lab.kubectl("logs", "--timestamps", broker, check=False).splitlines()
        return next((line for line in lines if " value " in line), "")

    return datetime.fromisoformat(eventually(look, within=60, what="a value").split()[0]).timestamp()


def _plug(lab: Lab, device: str, *, plugged: bool) -> None:
    ask(lab.layout.status_socket("http-devices"), "set", name=device, changes={"plugged": plugged})


def _broker_of_device(lab: Lab, device: str) -> str:
    told = ask(lab.layout.status_socket("http-devices"))["devices"]
    url = next(each["url"] for each in told if each["name"] == device)
    named = {
        each["spec"]["brokerProperties"]["AKRI_HTTP_DEVICE_ENDPOINT"]: each["metadata"]["name"]
        for each in lab.get("akrii")["items"]
    }
    return next(
        str(pod["metadata"]["name"])
        for pod in _pods(lab)
        if pod["metadata"]["labels"]["akri.sh/instance"] == named[url]
    )


def _pods(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.get("pods", "-l", "akri.sh/configuration=akri-http")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def _memory(lab: Lab, kind: str, named: str) -> Iterator[Figure]:
    uids = [str(pod["metadata"]["uid"]) for pod in _pods(lab)]
    weighed = wasm_memory(lab, uids) if kind == "wasm" else container_memory(uids)
    for what, samples in weighed.items():
        yield Figure(f"{named}, {what}", "MB", samples)
