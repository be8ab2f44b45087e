"""Everything that the page is made of, kept up to date: Instances, brokers, their words, the mock devices' plugs."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from lightkube import AsyncClient

from edgelab.controller.cluster import Pods
from edgelab.controller.model import Broker
from edgelab.core import names
from edgelab.core.errors import LabError
from edgelab.core.model import Instance
from edgelab.kube.client import Instances
from edgelab.kube.logs import Said
from edgelab.lab.page.brokers import MOST, Listeners
from edgelab.lab.page.control import Control
from edgelab.lab.page.following import Following
from edgelab.lab.page.live import Live, View
from edgelab.lab.page.readings import HISTORY_SECONDS, History, reading
from edgelab.lab.page.rows import Plug, Row, World, endpoint, rows
from edgelab.lab.page.view import Head

_LOOK_SECONDS = 1.0
"""How often rows are judged anew without news, and the mock devices asked which are plugged."""
_BREATH_SECONDS = 0.1
"""Least time between two views, however much brokers say."""


class Board:
    """Shows on `live` what there is, until `run()` is cancelled. head: what to follow, with no troubles in it."""

    def __init__(
        self, client: AsyncClient, head: Head, control: Control | None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.live: Live[Head, Row] = Live(View(head))
        self.clock = clock
        self._head, self._control = head, control
        self._no_control = ""
        self._histories: dict[str, History] = {}
        self._plugs: tuple[Plug, ...] = ()
        self._touched = asyncio.Event()
        self._following = Following(client, head.namespace, self._touched.set, clock)
        self._instances = self._following.mirror("instances", Instances, Instance.from_dict)
        self._pods = self._following.mirror("pods", Pods, Broker.read, {names.CONFIGURATION_LABEL: head.configuration})
        tail = math.ceil(HISTORY_SECONDS / head.interval) + 1
        self._listeners = Listeners(client, self._take, tail=tail, silence=max(30.0, 3 * head.interval))

    @property
    def ready(self) -> bool:
        """The cluster has been seen once."""
        return self._following.ready

    async def status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answers the status socket."""
        view = self.live.view
        return {
            "ready": self.ready,
            "api": view.head.api,
            "control": view.head.control,
            "readers": self.live.readers,
            "devices": {row.url: row.state for row in view.rows},
        }

    async def run(self) -> None:
        """Follow everything until cancelled."""
        async with self._listeners, asyncio.TaskGroup() as group:
            group.create_task(self._following.run())
            group.create_task(self._look_at_plugs())
            while True:
                await self._news()
                self._refresh()
                await asyncio.sleep(_BREATH_SECONDS)

    async def plug(self, name: str, *, plugged: bool) -> None:
        """Plug or unplug a mock device; raises LabError when that does not work."""
        if self._control is None:
            raise LabError(f"Plug device {name}", "The page was started without --devices")
        await self._control.plug(name, plugged=plugged)
        await self._ask_for_plugs(self._control)

    async def _news(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._touched.wait()
        except TimeoutError:
            return
        self._touched.clear()

    async def _look_at_plugs(self) -> None:
        while self._control:
            await self._ask_for_plugs(self._control)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _ask_for_plugs(self, control: Control) -> None:
        try:
            plugs, trouble = await control.plugs(), ""
        except LabError as error:
            plugs, trouble = self._plugs, str(error)
        if (plugs, trouble) != (self._plugs, self._no_control):
            self._plugs, self._no_control = plugs, trouble
            self._touched.set()

    def _take(self, broker: Broker, said: Said) -> None:
        one = reading(said)
        instance = self._instances.objects.get((broker.namespace, broker.instance))
        # A broker speaks for its own device only.
        if one and instance and one.url == endpoint(instance):
            self._histories.setdefault(instance.name, History()).add(one, broker.uid)
            self._touched.set()

    def _refresh(self) -> None:
        shown, limit = self._shown() if self.ready else ((), "")
        self.live.show(View(self._told(limit), shown))

    def _shown(self) -> tuple[tuple[Row, ...], str]:
        instances = self._devices()
        known = {one.name for one in instances}
        self._histories = {name: history for name, history in self._histories.items() if name in known}
        brokers = sorted(self._pods.objects.values(), key=lambda one: one.name)
        running = {one.uid: one for one in brokers if one.running and one.instance in known}
        self._listeners.listen_to(running)
        limit = f"Listening to {MOST} of {len(running)} brokers" if len(running) > MOST else ""
        world = World(instances, brokers, self._histories, self._plugs, self.clock(), self._head.interval)
        return rows(world), limit

    def _devices(self) -> list[Instance]:
        wanted = self._head.configuration
        return [one for one in self._instances.objects.values() if one.configuration == wanted and not one.deleting]

    def _told(self, limit: str) -> Head:
        return replace(self._head, api=self._following.away(), control=self._no_control, limit=limit)
