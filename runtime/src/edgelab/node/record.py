"""The Node object: created where it is missing, corrected where it is wrong, written at once when something changes.

One writer: `NodeRecord.run` compares what is wanted with what it last saw and patches the difference. It never gives
up: what fails is logged and tried again, and a Node that somebody deleted is registered anew.
"""

import asyncio
import contextlib
import datetime
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.resources.core_v1 import Node, NodeStatus
from lightkube.types import PatchType

from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.kube.client import is_conflict, is_missing, is_unauthorized
from edgelab.kube.follow import Mirror
from edgelab.node import record_wanted as wanted
from edgelab.node.capacity import load, machine
from edgelab.node.record_wanted import Body, Count, NodeSettings

log = logging.getLogger(__name__)

_MEASURE_SECONDS = 10.0
"""How often memory, disk and process ids are looked at; changed devices and a changed Node are told, not looked for."""

_PAUSE_SECONDS = 0.05
"""Rest after a write: the first news is written at once, what comes in a crowd (a thousand devices) together."""

_BACKOFF = Backoff(0.2, 10.0)

Devices = Callable[[], Mapping[str, Count | None]]


class NodeRecord:
    """Keeps the Node of this machine. `devices` gives its extended resources; `news` is set when they changed.

    `registered` is set once the Node exists with its status written; `uid` then is the Node's.
    """

    def __init__(
        self, client: AsyncClient, settings: NodeSettings, state: Path, devices: Devices, news: asyncio.Event
    ) -> None:
        self.registered = asyncio.Event()
        self.uid = ""
        self._client, self._settings, self._state = client, settings, state
        self._machine = machine(state)
        self._devices = devices
        self._found: Body | None = None
        self._written = -float(wanted.HEARTBEAT_SECONDS)
        self._news = news
        self._warned = False
        self._mirror: Mirror[None] = Mirror(
            client,
            Node,
            parse=self._see,
            on_change=self._changed,
            selectors={"fields": {"metadata.name": settings.name}},
        )

    async def run(self) -> None:
        """Keep the Node until cancelled; raises LabError when the API server refuses the node's identity."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._mirror.run())
            tasks.create_task(self._work())

    def _see(self, body: Any) -> None:
        self._found = body.to_dict()

    def _changed(self, key: tuple[str, str]) -> None:
        if key not in self._mirror.objects:
            log.warning("Node %s was deleted; registering it again", self._settings.name)
            self._found = None
        self._news.set()

    async def _work(self) -> None:
        await self._mirror.listed.wait()
        failures = 0
        while True:
            self._news.clear()
            try:
                if await self._settle():
                    await asyncio.sleep(_PAUSE_SECONDS)
                failures = 0
            except httpx2.HTTPError as error:
                self._judge(error)
                failures += 1
                log.log(logging.WARNING if failures == 3 else logging.DEBUG, "cannot write the Node: %s", error)
                await asyncio.sleep(_BACKOFF.delay(failures))
                continue
            # Not wait_for: before Python 3.12 that swallows a cancellation which comes together with news.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_MEASURE_SECONDS):
                    await self._news.wait()

    def _judge(self, error: httpx2.HTTPError) -> None:
        if not isinstance(error, ApiError):
            return
        if is_unauthorized(error):
            raise LabError(f"Write Node {self._settings.name}", str(error), "The node's certificate is not accepted")
        if is_missing(error):
            self._found = None

    async def _settle(self) -> bool:
        """Make the Node as it should be; returns whether that took a write."""
        before = self._found
        if self._found is None:
            self._found = await self._register()
        self.uid = self._found["metadata"]["uid"]
        if patch := wanted.metadata_patch(self._settings, self._found):
            await self._patch(Node, patch)
        self._warn_of_taints(self._found)
        status = wanted.status(self._settings, self._machine, load(self._state))
        age = time.monotonic() - self._written
        if patch := wanted.status_patch(status, self._devices(), self._found, _now(), age):
            await self._patch(NodeStatus, patch)
            if "conditions" in patch["status"]:
                self._written = time.monotonic()
        if not self.registered.is_set():
            log.info("Node %s is registered and Ready", self._settings.name)
            self.registered.set()
        return self._found is not before

    async def _register(self) -> Body:
        body = Node.from_dict({"metadata": wanted.metadata(self._settings), "spec": {"taints": wanted.taints()}})
        assert isinstance(body, Node)
        try:
            made = await self._client.create(body)
        except ApiError as error:
            if not is_conflict(error):
                raise
            made = await self._client.get(Node, self._settings.name)
        self._warned = False
        return _dict(made)

    async def _patch(self, resource: Any, patch: Body) -> None:
        made = await self._client.patch(resource, self._settings.name, patch, patch_type=PatchType.STRATEGIC)
        self._found = _dict(made)

    def _warn_of_taints(self, found: Body) -> None:
        if self._warned or not (missing := wanted.missing_taints(found)):
            return
        self._warned = True
        arguments = " ".join(f"{taint['key']}={taint['value']}:{taint['effect']}" for taint in missing)
        log.warning(
            "Node %s lacks taints that keep ordinary Pods away, and a node may not add them to itself: "
            "kubectl taint nodes %s %s",
            *(self._settings.name, self._settings.name, arguments),
        )


def _dict(body: Any) -> Body:
    content: Body = body.to_dict()
    return content


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
