"""Unix sockets in the lab's run directory, and gRPC over them."""

import contextlib
import os
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from grpclib.client import Channel
from grpclib.server import Server

from edgelab.core.errors import LabError
from edgelab.core.layout import LONGEST_SOCKET_PATH

if TYPE_CHECKING:
    from grpclib._typing import IServable


def prepare(path: Path) -> None:
    """Make a socket path ready to be bound: its directory private, no stale file. Raises LabError if it is too long."""
    length = len(os.fsencode(path))
    if length > LONGEST_SOCKET_PATH:
        raise LabError(
            attempted=f"Open the socket {path}",
            seen=f"Its path has {length} bytes; Linux allows {LONGEST_SOCKET_PATH}",
            remedy="Use a shorter name for the Configuration, the handler or the lab",
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def serve_grpc(path: Path, services: "Collection[IServable]") -> AsyncIterator[None]:
    """Serve gRPC services on a Unix socket while the block runs; the socket file is gone afterwards."""
    prepare(path)
    server = Server(services)
    await server.start(path=str(path))
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()
        path.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def grpc_channel(path: Path) -> AsyncIterator[Channel]:
    """A channel to the gRPC server on a Unix socket."""
    channel = Channel(path=str(path))
    try:
        yield channel
    finally:
        channel.close()
