"""All cameras of some Configurations, side by side: found through the API server, and read while somebody looks."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from lightkube import AsyncClient, operators

from edgelab.brokers.target import Target, target_of
from edgelab.controller.cluster import Pods, Services
from edgelab.controller.model import Broker
from edgelab.core import names
from edgelab.core.model import Instance
from edgelab.kube.client import Instances
from edgelab.lab.page.following import Following
from edgelab.lab.page.live import Live, View
from edgelab.lab.page.video.reader import read_broker
from edgelab.lab.page.video.record import Record
from edgelab.lab.page.video.rows import Camera, Row, row
from edgelab.lab.page.video.told import Told
from edgelab.lab.page.video.view import Head
from edgelab.lab.page.video.viewers import Viewers

MOST_CAMERAS = 64
"""How many cameras are shown."""

_LOST_SECONDS = 600.0
"""How long a camera stays whose Instance is gone, after its last frame."""
_LOOK_SECONDS = 1.0
"""How often cameras are judged anew without news."""
_BREATH_SECONDS = 0.1
"""Least time between two views."""

Read = Callable[[Target, Callable[[Told], None]], Coroutine[Any, Any, None]]


class Wall:
    """Shows on `live` what there is, and frames to viewers, while `run()` runs. head: with no troubles in it."""

    def __init__(
        self, client: AsyncClient, head: Head, *, clock: Callable[[], float] = time.time, read: Read = read_broker
    ) -> None:
        self.live: Live[Head, Row] = Live(View(head))
        self.clock = clock
        self._head, self._read = head, read
        self._touched = asyncio.Event()
        self._records: dict[str, Record] = {}
        self.viewers = Viewers(self._records, self._touched.set)
        self._readers: dict[Target, asyncio.Task[None]] = {}
        self._following = Following(client, head.namespace, self._touched.set, clock)
        configured = {names.CONFIGURATION_LABEL: operators.in_(head.configurations)}
        self._instances = self._following.mirror("instances", Instances, Instance.from_dict)
        self._pods = self._following.mirror("pods", Pods, Broker.read, configured)
        self._services = self._following.mirror(
            "services", Services, self._target, {names.INSTANCE_LABEL: operators.exists()}
        )

    async def status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answers the status socket."""
        view = self.live.view
        return {
            "ready": self._following.ready,
            "api": view.head.api,
            "readers": self.live.readers,
            "cameras": {row.id: row.state for row in view.rows},
        }

    def record(self, camera: str) -> Record | None:
        """What is known of a camera's frames; None where there is no such camera."""
        return self._records.get(camera)

    async def run(self) -> None:
        """Follow everything, and read what is looked at, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._following.run())
                while True:
                    await self._news()
                    self._refresh()
                    await asyncio.sleep(_BREATH_SECONDS)
        finally:
            tasks = list(self._readers.values())
            self._keep_reading({})
            await asyncio.gather(*tasks, return_exceptions=True)

    def _target(self, body: Any) -> Target | None:
        return next(filter(None, (target_of(body, name) for name in self._head.configurations)), None)

    async def _news(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._touched.wait()
        self._touched.clear()

    def _refresh(self) -> None:
        if not self._following.ready:
            self.live.show(View(replace(self._head, api=self._following.away())))
            return
        every = self._found()
        found = {name: every[name] for name in sorted(every)[:MOST_CAMERAS]}
        self._remember(set(found))
        targets = {one.instance: one for one in self._services.objects.values() if one}
        seen = [self._camera(name, found.get(name), name in targets) for name in self._order()]
        self._keep_reading({name: targets[name] for name in found if name in targets and self.viewers.of(name)})
        limit = f"Showing {MOST_CAMERAS} of {len(every)} cameras" if len(every) > MOST_CAMERAS else ""
        head = replace(self._head, api=self._following.away(), limit=limit)
        self.live.show(View(head, tuple(row(one, self.clock()) for one in seen)))

    def _found(self) -> dict[str, Instance]:
        wanted, objects = self._head.configurations, self._instances.objects.values()
        return {one.name: one for one in objects if one.configuration in wanted and not one.deleting}

    def _remember(self, found: set[str]) -> None:
        for name in found - set(self._records):
            self._records[name] = Record()
        oldest = self.clock() - _LOST_SECONDS
        for name in set(self._records) - found:
            frame = self._records[name].frame
            if frame is None or frame.arrived < oldest or len(self._records) > MOST_CAMERAS:
                del self._records[name]

    def _order(self) -> list[str]:
        """By Configuration, which an Instance's name begins with, as they were given."""
        places = {name: place for place, name in enumerate(self._head.configurations)}
        return sorted(self._records, key=lambda name: (places.get(name.rpartition("-")[0], len(places)), name))

    def _camera(self, name: str, instance: Instance | None, served: bool) -> Camera:
        return Camera(
            name,
            nodes=instance.nodes if instance else (),
            brokers=[one for one in self._pods.objects.values() if one.instance == name],
            record=self._records[name],
            viewers=self.viewers.of(name),
            found=instance is not None,
            served=served,
        )

    def _keep_reading(self, wanted: Mapping[str, Target]) -> None:
        for target in set(self._readers) - set(wanted.values()):
            self._readers.pop(target).cancel()
            if target.instance in self._records:
                self._records[target.instance].end()
        for name, target in wanted.items():
            if target not in self._readers:
                self._records[name].begin(self.clock())
                self._readers[target] = asyncio.create_task(self._read(target, partial(self._take, name)))

    def _take(self, name: str, told: Told) -> None:
        record = self._records[name]
        before = record.problem, record.frame is None
        if record.take(told, self.clock()):
            self.viewers.tell(name)
        if before != (record.problem, record.frame is None):
            self._touched.set()
