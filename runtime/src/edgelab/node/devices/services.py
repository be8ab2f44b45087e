"""The node's side of two kubelet APIs over Unix sockets: device plugin registration and pod resources."""

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from edgelab.node.devices.allocation import is_extended_resource
from edgelab.node.devices.checkpoint import Grant
from edgelab.node.devices.manager import DeviceManager
from edgelab.wire.deviceplugin_grpc import RegistrationBase
from edgelab.wire.deviceplugin_pb2 import Empty, RegisterRequest
from edgelab.wire.podresources_grpc import PodResourcesListerBase
from edgelab.wire.podresources_pb2 import (
    AllocatableResourcesRequest,
    AllocatableResourcesResponse,
    ContainerDevices,
    ContainerResources,
    GetPodResourcesRequest,
    GetPodResourcesResponse,
    ListPodResourcesRequest,
    ListPodResourcesResponse,
    PodResources,
)

if TYPE_CHECKING:
    from grpclib.server import Stream

API_VERSION = "v1beta1"


def check(request: RegisterRequest) -> None:
    """Raises INVALID_ARGUMENT for what a kubelet refuses too, and for a socket outside the directory."""
    if request.version != API_VERSION:
        problem = f"API version {request.version!r} is not supported; this node speaks {API_VERSION}"
    elif not is_extended_resource(request.resource_name):
        problem = f"{request.resource_name!r} is not the name of an extended resource"
    elif not request.endpoint or "/" in request.endpoint or request.endpoint in (".", ".."):
        problem = f"endpoint {request.endpoint!r} is not a file name in the directory of the device plugins"
    else:
        return
    raise GRPCError(Status.INVALID_ARGUMENT, problem)


class Registration(RegistrationBase):
    """Takes registrations. It answers before it dials: plugins may serve first or register first."""

    def __init__(self, manager: DeviceManager) -> None:
        self._manager = manager

    async def Register(self, stream: "Stream[RegisterRequest, Empty]") -> None:  # noqa: N802
        """One plugin for one resource."""
        request = await stream.recv_message()
        assert request
        check(request)
        options = request.options if request.HasField("options") else None
        await stream.send_message(Empty())
        self._manager.register(request.resource_name, request.endpoint, options)


class PodResourcesLister(PodResourcesListerBase):
    """Tells who uses which devices; Pods without devices are not listed."""

    def __init__(self, manager: DeviceManager) -> None:
        self._manager = manager

    async def List(self, stream: "Stream[ListPodResourcesRequest, ListPodResourcesResponse]") -> None:  # noqa: N802
        """Every Pod that has devices."""
        await stream.recv_message()
        await stream.send_message(ListPodResourcesResponse(pod_resources=pods(self._manager.grants())))

    async def GetAllocatableResources(  # noqa: N802
        self, stream: "Stream[AllocatableResourcesRequest, AllocatableResourcesResponse]"
    ) -> None:
        """Every healthy device."""
        await stream.recv_message()
        devices = [ContainerDevices(resource_name=name, device_ids=ids) for name, ids in self._manager.healthy()]
        await stream.send_message(AllocatableResourcesResponse(devices=devices))

    async def Get(self, stream: "Stream[GetPodResourcesRequest, GetPodResourcesResponse]") -> None:  # noqa: N802
        """One Pod."""
        request = await stream.recv_message()
        assert request
        for pod in pods(self._manager.grants()):
            if (pod.namespace, pod.name) == (request.pod_namespace, request.pod_name):
                await stream.send_message(GetPodResourcesResponse(pod_resources=pod))
                return
        raise GRPCError(Status.NOT_FOUND, f"pod {request.pod_namespace}/{request.pod_name} has no devices")


def pods(grants: Iterable[Grant]) -> list[PodResources]:
    """Grants by Pod and container, each in the order of their names."""
    ordered = sorted(grants, key=lambda grant: (_pod(grant), grant.owner.container, grant.resource))
    return [
        PodResources(namespace=namespace, name=name, containers=_containers(list(of_pod)))
        for (namespace, name, _uid), of_pod in groupby(ordered, key=_pod)
    ]


def _pod(grant: Grant) -> tuple[str, str, str]:
    return grant.owner.namespace, grant.owner.pod, grant.owner.pod_uid


def _containers(grants: list[Grant]) -> list[ContainerResources]:
    return [
        ContainerResources(
            name=name, devices=[ContainerDevices(resource_name=each.resource, device_ids=each.ids) for each in own]
        )
        for name, own in groupby(grants, key=lambda grant: grant.owner.container)
    ]
