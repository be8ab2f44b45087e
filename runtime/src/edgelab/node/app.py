"""The node as a whole: identity, then its Node object, device manager, Pods, server and Lease side by side.

`run_node` ends when it is cancelled, or with the LabError of a part that cannot go on. Containers outlive it: Pods are
neither stopped nor marked, and the Node keeps its last status until the Lease runs out, as when a kubelet restarts.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lightkube import AsyncClient

from edgelab.core.errors import LabError
from edgelab.core.layout import Sockets
from edgelab.kube.client import connect
from edgelab.kube.transport import RenewableTransport
from edgelab.node.authn import Authorizer
from edgelab.node.csr import client_purpose, serving_purpose
from edgelab.node.devices.manager import DeviceManager
from edgelab.node.devices.services import PodResourcesLister, Registration
from edgelab.node.heartbeat import keep_lease
from edgelab.node.identity import Identity, keep
from edgelab.node.identity_store import CertificateStore
from edgelab.node.record import NodeRecord
from edgelab.node.record_wanted import NodeSettings
from edgelab.node.seams import Devices, PodLogs
from edgelab.node.server import NodeServer
from edgelab.service.sockets import listens, serve_grpc
from edgelab.service.status import serve_status


class Pods(PodLogs, Protocol):
    """What runs the Pods of the node."""

    async def run(self) -> None:
        """Run Pods until cancelled."""

    @property
    def listed(self) -> asyncio.Event:
        """Set once the Pods of the node are known."""


MakePods = Callable[[AsyncClient, Devices], Pods]


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """Where the node keeps its things, and what it is called. `run` is the lab's run directory.

    `device_plugins` is where device plugins listen if that is elsewhere.
    """

    settings: NodeSettings
    state: Path
    run: Path
    bootstrap: Path
    kubeconfig: Path
    client_ca: Path
    device_plugins: Path | None = None

    @property
    def sockets(self) -> Sockets:
        """Where device plugins and their agent meet the node."""
        return Sockets(self.run, self.device_plugins)

    @property
    def identity(self) -> Identity:
        """The node's identity at the API server."""
        return Identity(self.settings.name, self.state, self.bootstrap, self.kubeconfig)

    @property
    def serving(self) -> CertificateStore:
        """The certificate of the node's server."""
        return CertificateStore(self.state, "serving")


async def run_node(options: NodeOptions, make_pods: MakePods) -> None:
    """Run the node until cancelled; the status socket answers from the beginning."""
    _see_that_no_kubelet_listens(options.sockets.kubelet)
    options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    node: _Node | None = None

    async def status(_request: Mapping[str, Any]) -> Mapping[str, Any]:
        return node.status() if node else {"ready": False, "registered": False}

    async with serve_status(options.run / "node.sock", {"status": status}):
        await options.identity.establish()
        async with _client(options.kubeconfig) as (client, transport):
            node = _Node(options, client, transport, make_pods)
            await node.run()


def _see_that_no_kubelet_listens(path: Path) -> None:
    """Raise LabError rather than take the socket of another kubelet away."""
    if listens(path):
        raise LabError(
            attempted=f"Take registrations of device plugins at {path}",
            seen="Another process listens there",
            cause="A kubelet runs on this machine, or another Wasm node",
            remedy="End it, or give this node another directory of device plugins",
        )


@contextlib.asynccontextmanager
async def _client(kubeconfig: Path) -> AsyncIterator[tuple[AsyncClient, RenewableTransport]]:
    transport = RenewableTransport(kubeconfig)
    client = connect(kubeconfig, transport=transport)
    try:
        yield client, transport
    finally:
        await client.close()


class _Node:
    """The parts of a node that has an identity."""

    def __init__(
        self, options: NodeOptions, client: AsyncClient, transport: RenewableTransport, make_pods: MakePods
    ) -> None:
        self._options, self._client, self._transport = options, client, transport
        settings, state = options.settings, options.state
        news = asyncio.Event()
        self._devices = DeviceManager(options.sockets.device_plugins, state / "devices.json", news.set)
        self._record = NodeRecord(client, settings, state, self._devices.counts, news)
        self._pods = make_pods(client, self._devices)
        authorizer = Authorizer(client, settings.name)
        self._server = NodeServer(settings.address, settings.port, options.client_ca, authorizer, self._pods)

    def status(self) -> dict[str, Any]:
        """What the status socket tells."""
        counts = {name: count.allocatable for name, count in self._devices.counts().items() if count}
        registered = self._record.registered.is_set()
        return {
            "ready": registered and self._pods.listed.is_set(),
            "registered": registered,
            "serving": self._server.listens,
            "serving_certificate": self._options.serving.status(),
            "devices": counts,
        }

    async def run(self) -> None:
        """Run every part until one ends with an error or all are cancelled."""
        registration, lister = Registration(self._devices), PodResourcesLister(self._devices)
        sockets = self._options.sockets
        async with (
            self._devices,
            serve_grpc(sockets.kubelet, [registration]),
            serve_grpc(sockets.pod_resources, [lister]),
            self._server,
            asyncio.TaskGroup() as tasks,
        ):
            for part in (self._record.run, self._pods.run, self._lease, self._keep_identity, self._keep_serving):
                tasks.create_task(part())

    async def _lease(self) -> None:
        await self._record.registered.wait()
        await keep_lease(self._client, self._options.settings.name, lambda: self._record.uid)

    async def _keep_identity(self) -> None:
        async def use() -> None:
            self._transport.renew()

        node, store = self._options.settings.name, self._options.identity.store
        await keep(self._client, client_purpose(node), node, store, use, used=store.certificate())

    async def _keep_serving(self) -> None:
        settings, store = self._options.settings, self._options.serving

        async def use() -> None:
            await self._server.use(store.path)

        await keep(self._client, serving_purpose(settings.name, settings.address), settings.name, store, use)
