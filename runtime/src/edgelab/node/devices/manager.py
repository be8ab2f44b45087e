"""The device manager: which plugins offer which devices, who has them, and what of it the Node object should say.

It implements `seams.Devices`. What it gives to containers is written to a checkpoint before the container hears of it
and read at the start; a container that starts again gets what it had, also while its plugin is away.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from edgelab.core.errors import LabError
from edgelab.node.devices import checkpoint
from edgelab.node.devices.allocation import choose, combine
from edgelab.node.devices.checkpoint import Grant
from edgelab.node.devices.plugin import Plugin
from edgelab.node.record_wanted import Count
from edgelab.node.seams import Allocation, ContainerRef
from edgelab.wire.deviceplugin_pb2 import DevicePluginOptions

log = logging.getLogger(__name__)

GRACE_SECONDS = 30.0
"""How long a resource without a plugin stays on the Node with the number 0, before its name goes too.

A kubelet keeps the name for ever; here a lab whose devices come and go would collect hundreds of them.
"""

_SAVE_SECONDS = 0.1
"""How long names of new resources may wait to be saved: a thousand plugins that register at once are one write."""


class DeviceManager:
    """Use it inside `async with`: leaving it ends the connections to all plugins. `on_change`: `counts()` changed."""

    def __init__(self, directory: Path, file: Path, on_change: Callable[[], None]) -> None:
        self._directory, self._file, self._on_change = directory, file, on_change
        self._plugins: dict[str, Plugin] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gone: dict[str, Count | None] = {}
        self._grants: dict[tuple[ContainerRef, str], Grant] = {}
        self._reserved: dict[tuple[ContainerRef, str], tuple[str, ...]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._saving: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> "DeviceManager":
        found = checkpoint.load(self._file)
        self._grants = {(grant.owner, grant.resource): grant for grant in found.grants}
        for resource in found.resources:
            self._leave(resource)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._save()
        for timer in self._timers.values():
            timer.cancel()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def register(self, resource: str, endpoint: str, options: DevicePluginOptions | None) -> None:
        """Follow the plugin that serves a resource on a socket of the directory; it replaces an earlier one."""
        former = self._plugins.get(resource)
        if task := self._tasks.get(resource):
            task.cancel()
        plugin = Plugin(resource, self._directory / endpoint, options, former.devices if former else {})
        self._plugins[resource] = plugin
        if timer := self._timers.pop(resource, None):
            timer.cancel()
        self._gone.pop(resource, None)
        # Nothing to tell yet: its first list of devices is a moment away, and is told at once.
        self._tasks[resource] = asyncio.create_task(self._follow(plugin))
        self._save_soon()

    async def _follow(self, plugin: Plugin) -> None:
        log.info("device plugin of %s: %s", plugin.resource, plugin.socket.name)
        reason = await plugin.run(self._on_change)
        if self._plugins.get(plugin.resource) is not plugin:
            return
        log.info("device plugin of %s is gone: %s", plugin.resource, reason)
        del self._plugins[plugin.resource], self._tasks[plugin.resource]
        self._leave(plugin.resource)
        self._on_change()

    def _leave(self, resource: str) -> None:
        self._gone[resource] = Count(0, 0)
        self._timers[resource] = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._vanish, resource)

    def _vanish(self, resource: str) -> None:
        del self._timers[resource]
        self._gone[resource] = None
        self._save_soon()
        self._on_change()

    def counts(self) -> Mapping[str, Count | None]:
        """Devices by resource; None for a resource that the Node should no longer name."""
        present = {
            name: Count(len(plugin.devices), sum(plugin.devices.values())) for name, plugin in self._plugins.items()
        }
        return self._gone | present

    def healthy(self) -> Iterator[tuple[str, list[str]]]:
        """Each resource with the ids of its healthy devices."""
        for name, plugin in self._plugins.items():
            yield name, sorted(each for each, healthy in plugin.devices.items() if healthy)

    def grants(self) -> list[Grant]:
        """What was given to whom."""
        return list(self._grants.values())

    def knows(self, resource: str) -> bool:
        """See seams.Devices."""
        return resource in self._plugins or self._gone.get(resource) is not None

    async def allocate(self, owner: ContainerRef, requests: Mapping[str, int]) -> Allocation:
        """See seams.Devices."""
        wanted = sorted((resource, count) for resource, count in requests.items() if count > 0)
        grants = [await self._grant(owner, resource, count) for resource, count in wanted]
        combined, conflicts = combine(grant.allocation for grant in grants)
        for name in conflicts:
            log.warning("%s/%s: two resources of %s set %s", owner.namespace, owner.pod, owner.container, name)
        return combined

    async def _grant(self, owner: ContainerRef, resource: str, count: int) -> Grant:
        key = (owner, resource)
        grant = self._grants.get(key)
        plugin = self._plugins.get(resource)
        if grant is None:
            if plugin is None:
                raise LabError(f"Give {count} of {resource} to a container", "No device plugin offers it")
            grant = await self._ask(key, plugin, count)
            self._grants[key] = grant
            self._save()
        if plugin:
            await plugin.pre_start(grant.ids)
        return grant

    async def _ask(self, key: tuple[ContainerRef, str], plugin: Plugin, count: int) -> Grant:
        # The devices count as used while the plugin thinks about it: another container must not get them as well.
        owner, resource = key
        ids = choose(resource, plugin.devices, self._in_use(resource), count)
        self._reserved[key] = ids
        try:
            return Grant(owner, resource, ids, await plugin.allocate(ids))
        finally:
            del self._reserved[key]

    def _in_use(self, resource: str) -> set[str]:
        granted = (each for grant in self._grants.values() if grant.resource == resource for each in grant.ids)
        reserved = (each for (_owner, name), ids in self._reserved.items() if name == resource for each in ids)
        return {*granted, *reserved}

    def release(self, pod_uid: str) -> None:
        """See seams.Devices."""
        kept = {key: grant for key, grant in self._grants.items() if grant.owner.pod_uid != pod_uid}
        if len(kept) != len(self._grants):
            self._grants = kept
            self._save()

    def _save_soon(self) -> None:
        if self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(_SAVE_SECONDS, self._save)

    def _save(self) -> None:
        if self._saving:
            self._saving.cancel()
            self._saving = None
        named = {name for name, count in self.counts().items() if count is not None}
        checkpoint.save(self._file, self._grants.values(), named)
