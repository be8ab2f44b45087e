"""The agent of a node: handlers register, their devices become Instances, the kubelet allocates them.

`Agent.run()` works until cancelled. Leaving it ends the sockets and streams and touches nothing in the cluster, so
that the next agent goes on where this one stopped.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from lightkube import AsyncClient
from lightkube.resources.core_v1 import Pod

from edgelab.agent import properties
from edgelab.agent.discovery import Discovery, Setting
from edgelab.agent.endpoints import Endpoint, Endpoints
from edgelab.agent.ledger import Ledger
from edgelab.agent.plugin import Plugins
from edgelab.agent.reclaim import Reclaimer, Timing, pod_state
from edgelab.agent.reconcile import Reconciler
from edgelab.agent.registration import Registration
from edgelab.agent.resources import Inventory
from edgelab.agent.wanted import Offer
from edgelab.agent.writer import Writer
from edgelab.core.errors import LabError
from edgelab.core.layout import Sockets
from edgelab.core.model import Configuration, Instance
from edgelab.kube.client import Configurations, Instances
from edgelab.kube.events import Reporter
from edgelab.kube.follow import Key, Mirror
from edgelab.kube.workers import Workers
from edgelab.service.sockets import serve_grpc
from edgelab.service.status import serve_status

T = TypeVar("T")

_EVERYWHERE = {"namespace": "*"}

_GATHER_SECONDS = 0.03
"""News of many Instances of one Configuration are taken together: looking at all of them for each would not scale."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an agent is told: its node, where it remembers things, the lab's run directory, its patience in seconds."""

    node: str
    state: Path
    run: Path
    lost_handler_seconds: float = 30.0
    timing: Timing = field(default_factory=Timing)


class Agent:
    """An agent and its parts, wired together."""

    def __init__(self, client: AsyncClient, settings: Settings, *, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._configurations = _mirror(
            client, Configurations, Configuration.from_dict, self._configuration_changed, _EVERYWHERE
        )
        self._instances = _mirror(client, Instances, Instance.from_dict, self._instance_changed, _EVERYWHERE)
        here = {**_EVERYWHERE, "fields": {"spec.nodeName": settings.node}}
        self._pods = _mirror(client, Pod, pod_state, lambda _key: self._reclaimer.look(), here)
        self._endpoints = Endpoints(settings.state / "handlers.json")
        self._plugins = Plugins(Sockets(settings.run).device_plugins)
        self._offers: dict[Key, Offer] = {}
        writer = Writer(client, settings.node)
        ledger = Ledger(writer, settings.node, self._instances.objects)
        self._inventory = Inventory(
            settings.node, self._instances.objects, self._configurations.objects, self._offers, ledger
        )
        self._discovery = self._discover(client, now)
        self._reclaimer = self._reclaim(ledger, now)
        reconciler = self._reconcile(writer, Reporter(client, "akri-agent"))
        self._configuration_work: Workers[Key] = Workers(_told(reconciler.configuration))
        self._instance_work: Workers[Key] = Workers(_told(reconciler.instance))
        self._share_work: Workers[Key] = Workers(_told(reconciler.share))
        self._ready = False

    def _discover(self, client: AsyncClient, now: Callable[[], float]) -> Discovery:
        async def resolve(configuration: Configuration) -> Mapping[str, bytes | None]:
            return await properties.resolve(client, configuration)

        setting = Setting(self._settings.node, self._settings.lost_handler_seconds, now, resolve)
        return Discovery(self._endpoints, setting, self._configuration_changed)

    def _reclaim(self, ledger: Ledger, now: Callable[[], float]) -> Reclaimer:
        return Reclaimer(
            ledger,
            Sockets(self._settings.run).pod_resources,
            self._pods.objects,
            lambda instance: self._inventory.configuration_of(instance)[1],
            timing=self._settings.timing,
            now=now,
        )

    def _reconcile(self, writer: Writer, reporter: Reporter) -> Reconciler:
        return Reconciler(
            discovery=self._discovery,
            writer=writer,
            reporter=reporter,
            plugins=self._plugins,
            inventory=self._inventory,
            offers=self._offers,
            on_offer=self._offer_changed,
            on_share=self._share_later,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        async with contextlib.AsyncExitStack() as stack:
            operations = {"status": self._status, "keep": self._keep, "forget": self._forget}
            await stack.enter_async_context(serve_status(self._settings.run / "agent.sock", operations))
            await stack.enter_async_context(self._plugins)
            stack.push_async_callback(self._discovery.close)
            registration = Sockets(self._settings.run).registration
            await stack.enter_async_context(serve_grpc(registration, [Registration(self._endpoints)]))
            async with asyncio.TaskGroup() as tasks:
                for mirror in (self._configurations, self._instances, self._pods):
                    tasks.create_task(mirror.run())
                    await mirror.listed.wait()
                for work in (self._share_work, self._instance_work, self._configuration_work):
                    await stack.enter_async_context(work)
                self._look_at_everything()
                self._ready = True
                tasks.create_task(self._plugins.run())
                tasks.create_task(self._reclaimer.run())

    def _look_at_everything(self) -> None:
        for key in self._instances.objects:
            self._instance_work.add(key)
        for key in self._configurations.objects:
            self._configuration_work.add(key)

    def _configuration_changed(self, key: Key) -> None:
        if self._configurations.listed.is_set() and self._instances.listed.is_set():
            self._configuration_work.add(key)

    def _instance_changed(self, key: Key) -> None:
        if not self._instances.listed.is_set():
            return
        self._instance_work.add(key)
        self._configuration_work.add(self._inventory.configuration_of(key), after=_GATHER_SECONDS)
        self._reclaimer.look()

    def _offer_changed(self, key: Key) -> None:
        self._instance_work.add(key)

    def _share_later(self, configuration: Key) -> None:
        self._share_work.add(configuration, after=_GATHER_SECONDS)

    async def _status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"ready": self._ready, "node": self._settings.node, "handlers": self._discovery.describe()}

    async def _keep(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        endpoint = Endpoint(
            name=str(request.get("name") or ""),
            address=str(request.get("endpoint") or ""),
            network=request.get("endpoint_type", "UDS") == "NETWORK",
            shared=bool(request.get("shared")),
            kept=True,
        )
        if not endpoint.name:
            raise LabError("Keep a discovery handler", "It has no name")
        endpoint.target()
        return {"changed": self._endpoints.register(endpoint)}

    async def _forget(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        name, address = str(request.get("name")), str(request.get("endpoint"))
        known = self._endpoints.find(name, address)
        if known is None:
            return {"changed": False}
        if not known.kept:
            raise LabError(
                attempted=f"Forget discovery handler {name} at {address}",
                seen="It registered itself",
                remedy="Stop the handler: it would register again",
            )
        self._endpoints.forget(known)
        return {"changed": True}


def _mirror(
    client: AsyncClient,
    resource: Any,
    parse: Callable[[Any], T],
    on_change: Callable[[Key], None],
    selectors: Mapping[str, Any],
) -> Mirror[T]:
    return Mirror(client, resource, parse=parse, on_change=on_change, selectors=selectors)


def _told(handle: Callable[[Key], Awaitable[None]]) -> Callable[[Key], Awaitable[None]]:
    # An API server that is away or refuses is no news worth a traceback.
    async def handled(key: Key) -> None:
        try:
            await handle(key)
        except httpx2.HTTPError as error:
            raise LabError(f"Reconcile {'/'.join(key)}", f"{type(error).__name__}: {error}") from error

    return handled
