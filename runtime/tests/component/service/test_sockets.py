"""gRPC over Unix sockets, and what old peers send."""

from pathlib import Path
from typing import Any

import pytest
from edgelab.core.errors import LabError
from edgelab.service.sockets import grpc_channel, prepare, serve_grpc
from edgelab.wire import discovery_grpc
from edgelab.wire import discovery_pb2 as pb


class Registration(discovery_grpc.RegistrationBase):
    def __init__(self) -> None:
        self.names: list[str] = []

    async def RegisterDiscoveryHandler(self, stream: Any) -> None:  # noqa: N802
        request = await stream.recv_message()
        self.names.append(request.name)
        await stream.send_message(pb.Empty())


async def test_a_handler_built_before_akri_0_8_17_can_register(tmp_path: Path) -> None:
    """It sends `:scheme dummy` and the authority `[::]:50051`, which gRPC's C core refuses."""
    registration, path = Registration(), tmp_path / "r.sock"
    async with serve_grpc(path, [registration]), grpc_channel(path) as channel:
        channel._scheme, channel._authority = "dummy", "[::]:50051"
        await discovery_grpc.RegistrationStub(channel).RegisterDiscoveryHandler(
            pb.RegisterDiscoveryHandlerRequest(name="debugEcho")
        )
    assert registration.names == ["debugEcho"]
    assert not path.exists()


def test_a_path_that_linux_cannot_bind_is_told_with_its_length(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="Linux allows 107"):
        prepare(tmp_path / ("a" * 108))


def test_a_stale_socket_gives_way(tmp_path: Path) -> None:
    stale = tmp_path / "x.sock"
    stale.touch()
    prepare(stale)
    assert not stale.exists()
