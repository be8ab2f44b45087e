"""A stand-in for a lab around real mock devices: it discovers them and runs brokers, all in the stand-in API server.

For tests of the page in a browser without a control plane; tests/integration looks at the page of a real lab.
"""

import asyncio
from concurrent.futures import Future

import aiohttp
from edgelab.core import names
from edgelab.core.model import ObjectReference
from standins.api_server import FakeApi, Json
from standins.in_thread import InThread

NODE = "krustlet-wasi"
CONFIGURATION = "akri-http"


def instance(url: str, *, uid: str = "i", used: int = 1, capacity: int = 2, configuration: str = CONFIGURATION) -> Json:
    """An Instance as Akri 0.13 makes it; see docs of its walkthrough for the properties."""
    name = names.instance(configuration, names.digest(url, shared=True))
    return {
        "apiVersion": "akri.sh/v0",
        "kind": "Instance",
        "metadata": {"name": name, "namespace": "default", "uid": f"{uid}-{name}"},
        "spec": {
            "configurationName": configuration,
            "brokerProperties": {"AKRI_HTTP": "http", "AKRI_HTTP_DEVICE_ENDPOINT": url},
            "capacity": capacity,
            "deviceUsage": {names.slot(name, number): NODE for number in range(used)},
            "nodes": [NODE],
            "shared": True,
        },
    }


def broker(of: Json, *, uid: str = "p", phase: str = "Running") -> Json:
    """The broker Pod of an Instance."""
    name = names.broker_pod(of["metadata"]["name"], NODE, shared=True)
    owner = ObjectReference("Instance", of["metadata"]["name"], of["metadata"]["uid"]).as_owner(block_deletion=True)
    labels = {
        names.CONFIGURATION_LABEL: of["spec"]["configurationName"],
        names.INSTANCE_LABEL: of["metadata"]["name"],
        names.NODE_LABEL: NODE,
    }
    meta = {"name": name, "namespace": "default", "uid": f"{uid}-{name}", "labels": labels, "ownerReferences": [owner]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"nodeName": NODE},
        "status": {"phase": phase, "startTime": "2026-11-21T09:01:31Z"},
    }


class FakeLab(InThread):
    """Stands in for agent, controller and brokers around mock devices: reads these, puts Instances and Pods in the API.

    Runs in a thread of its own, so that a test may wait for a browser. seconds: between two readings of a broker.
    """

    def __init__(self, discovery: str, seconds: float) -> None:
        super().__init__()
        self.api = FakeApi()
        self._discovery, self._seconds = discovery, seconds
        self._brokers: dict[str, asyncio.Task[None]] = {}
        self._killed: set[str] = set()
        self._main: Future[None] | None = None

    def __enter__(self) -> "FakeLab":
        super().__enter__()
        self.do(self.api.back())
        self._main = asyncio.run_coroutine_threadsafe(self._run(), self.loop)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._main
        self._main.cancel()
        self.do(self.api.away())
        self.do(self._end())
        super().__exit__()

    def kill_broker(self, url: str) -> None:
        """Take a broker's Pod away; no controller makes another."""

        async def kill() -> None:
            self._killed.add(url)
            await self._lose_broker(url)

        self.do(kill())

    def revive_broker(self, url: str) -> None:
        """The controller makes a new one."""

        async def revive() -> None:
            self._killed.discard(url)
            self._make_broker(url, uid="second")

        self.do(revive())

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as self._session:
            while True:
                async with self._session.get(self._discovery) as answer:
                    self._adjust((await answer.text()).splitlines())
                for url in [url for url in self._brokers if url not in self._found]:
                    await self._lose(url)
                await asyncio.sleep(0.05)

    def _adjust(self, found: list[str]) -> None:
        self._found = found
        for url in found:
            if instance(url)["metadata"]["name"] not in self.api.names("instances"):
                self.api.put("instances", instance(url))
            if url not in self._brokers and url not in self._killed:
                self._make_broker(url, uid="first")

    def _make_broker(self, url: str, uid: str) -> None:
        pod = broker(instance(url), uid=uid)
        self.api.put("pods", pod)
        self._brokers[url] = asyncio.ensure_future(self._broker(url, pod["metadata"]["uid"]))

    async def _lose(self, url: str) -> None:
        await self._lose_broker(url)
        self.api.remove("instances", instance(url)["metadata"]["name"])

    async def _lose_broker(self, url: str) -> None:
        self._brokers.pop(url).cancel()
        self.api.remove("pods", broker(instance(url))["metadata"]["name"])

    async def _broker(self, url: str, uid: str) -> None:
        while True:
            try:
                async with self._session.get(url) as answer:
                    answer.raise_for_status()
                    self.api.say(uid, f"http device {url} value {(await answer.text()).strip()}")
            except aiohttp.ClientError as error:
                self.api.say(uid, f"http device {url} failed: {error}")
            await asyncio.sleep(self._seconds)

    async def _end(self) -> None:
        for task in self._brokers.values():
            task.cancel()
        await asyncio.gather(*self._brokers.values(), return_exceptions=True)
