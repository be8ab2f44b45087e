"""Getting everything that a container needs into place: variables, volumes, tokens, devices."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lightkube import AsyncClient
from lightkube.models.core_v1 import Container, Pod
from lightkube.resources.core_v1 import Service
from lightkube.utils.quantity import parse_quantity

from edgelab.node.containers.records import ContainerSpec, Preopen
from edgelab.node.outbound.policy import Policy, Socket, policy
from edgelab.node.pods.files import PodDirectory
from edgelab.node.seams import Allocation, ContainerRef, Devices
from edgelab.node.volumes.content import content, is_filled
from edgelab.node.volumes.directories import fill, host_directory, preopens
from edgelab.node.volumes.environment import Surroundings, arguments, environment, service_variables
from edgelab.node.volumes.fields import NodeFacts
from edgelab.node.volumes.materials import fetch, names
from edgelab.node.volumes.tokens import TokenSource

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A Pod whose volumes are in place; `volumes` are directories of the host by volume."""

    around: Surroundings
    volumes: Mapping[str, Path]


class Preparation:
    """Prepares Pods and containers. Raises ConfigError or LabError for what cannot be had, ApiError for the rest."""

    def __init__(self, client: AsyncClient, devices: Devices, node: NodeFacts) -> None:
        self._client, self._devices, self._node = client, devices, node
        self._tokens = TokenSource(client)
        self._service_variables: dict[str, str] = {}

    async def prepare(self, pod: Pod, directory: PodDirectory) -> Prepared:
        """Read what the Pod refers to and write its volumes; again later, it writes only what changed."""
        assert pod.spec is not None
        materials = await fetch(self._client, directory.namespace, names(pod))
        around = Surroundings(pod, self._node, materials)
        tokens = await self._tokens.tokens(pod)
        volumes = {}
        for volume in pod.spec.volumes or ():
            path = volumes[volume.name] = host_directory(volume, directory.volumes)
            if is_filled(volume):
                fill(path, content(volume, around, tokens))
        return Prepared(around, volumes)

    async def allocate(self, pod: Pod, container: Container) -> Allocation:
        """The devices of a container; the same ones after a restart."""
        assert pod.metadata is not None
        owner = ContainerRef(
            pod.metadata.namespace or "", pod.metadata.name or "", pod.metadata.uid or "", container.name
        )
        requests = device_requests(container)
        return await self._devices.allocate(owner, requests) if requests else Allocation()

    async def specify(
        self, container: Container, prepared: Prepared, allocation: Allocation, module: Path
    ) -> ContainerSpec:
        """How to run a container; its directory is still to be set."""
        own = environment(container, prepared.around, await self._services())
        return ContainerSpec(
            directory="",
            module=str(module),
            arguments=arguments(container, own),
            memory_limit=memory_limit(container, self._node),
            environment=own | dict(allocation.environment),
            preopens=(*preopens(container, prepared.volumes, own), *_device_preopens(container, allocation)),
            outbound=self._outbound(prepared.around.pod, allocation),
        )

    def release(self, uid: str) -> None:
        """Take back what a Pod had."""
        self._devices.release(uid)
        self._tokens.forget(uid)

    def _outbound(self, pod: Pod, allocation: Allocation) -> Policy:
        annotations = (pod.metadata.annotations if pod.metadata else None) or {}
        return policy(annotations, allocation.environment, (*self._node.refused, *_api_server(self._service_variables)))

    async def _services(self) -> Mapping[str, str]:
        if not self._service_variables:
            service = await self._client.get(Service, "kubernetes", namespace="default")
            if service.spec and service.spec.clusterIP and service.spec.ports:
                self._service_variables = service_variables(service.spec.clusterIP, service.spec.ports[0].port)
        return self._service_variables


def _api_server(services: Mapping[str, str]) -> list[Socket]:
    """Where the API server is as a Service, if it is one."""
    host = services.get("KUBERNETES_SERVICE_HOST")
    return [Socket(host, int(services["KUBERNETES_SERVICE_PORT"]))] if host else []


def device_requests(container: Container) -> dict[str, int]:
    """How many of which extended resources a container asks for.

    None of them is skipped when no plugin offers it at the moment: the module would run without its device.
    """
    resources = container.resources
    asked = ((resources.limits or {}) | (resources.requests or {})) if resources else {}
    amounts = {name: int(parse_quantity(amount) or 0) for name, amount in asked.items() if _is_extended(name)}
    return {name: amount for name, amount in amounts.items() if amount > 0}


def memory_limit(container: Container, node: NodeFacts) -> int:
    """Bytes of linear memory that a container may have."""
    limits = (container.resources.limits if container.resources else None) or {}
    declared = parse_quantity(limits.get("memory"))
    return int(declared) if declared else node.memory_limit


def _is_extended(name: str) -> bool:
    domain, found, _path = name.partition("/")
    return bool(found) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")


def _device_preopens(container: Container, allocation: Allocation) -> list[Preopen]:
    for spec in allocation.device_specs:
        log.warning("%s: a WASI module cannot open the device node %s", container.name, spec.host_path)
    usable = []
    for mount in allocation.mounts:
        if Path(mount.host_path).is_dir():
            usable.append(Preopen(mount.host_path, mount.container_path, writable=not mount.read_only))
        else:
            log.warning("%s: a WASI module cannot open the file %s by itself", container.name, mount.host_path)
    return usable
