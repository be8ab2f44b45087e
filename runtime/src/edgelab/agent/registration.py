"""The agent's registration socket: where discovery handlers say that they exist (discovery v0)."""

import typing

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from edgelab.agent.endpoints import Endpoint, Endpoints
from edgelab.core.errors import LabError
from edgelab.wire.discovery_grpc import RegistrationBase
from edgelab.wire.discovery_pb2 import Empty, RegisterDiscoveryHandlerRequest

if typing.TYPE_CHECKING:
    from grpclib.server import Stream


class Registration(RegistrationBase):
    """Takes registrations; one that could never be dialled is refused with INVALID_ARGUMENT."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    async def RegisterDiscoveryHandler(  # noqa: N802 - the name on the wire
        self, stream: "Stream[RegisterDiscoveryHandlerRequest, Empty]"
    ) -> None:
        """Register a handler; registering again is welcome and changes nothing."""
        request = await stream.recv_message()
        assert request is not None
        self._endpoints.register(_endpoint(request))
        await stream.send_message(Empty())


def _endpoint(request: RegisterDiscoveryHandlerRequest) -> Endpoint:
    kinds = RegisterDiscoveryHandlerRequest.EndpointType
    if request.endpoint_type not in kinds.values():
        raise GRPCError(Status.INVALID_ARGUMENT, f"endpoint_type {request.endpoint_type} is neither UDS nor NETWORK")
    if not request.name:
        raise GRPCError(Status.INVALID_ARGUMENT, "a discovery handler needs a name")
    endpoint = Endpoint(request.name, request.endpoint, request.endpoint_type == kinds.NETWORK, request.shared)
    try:
        endpoint.target()
    except LabError as error:
        raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from error
    return endpoint
