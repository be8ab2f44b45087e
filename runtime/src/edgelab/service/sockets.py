"""Unix sockets in the lab's run directory, gRPC over them, and over TCP where somebody asks for that."""

import contextlib
import os
import socket
import weakref
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from grpclib.client import Channel
from grpclib.protocol import H2Protocol
from grpclib.server import Server

from edgelab.core.errors import LabError
from edgelab.core.layout import LONGEST_SOCKET_PATH
from edgelab.service.bounded import BoundedChannel

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


def listens(path: Path) -> bool:
    """Whether a process listens on a Unix socket; a file that an ended one left there does not count."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        try:
            connection.connect(str(path))
        except BlockingIOError:  # it has more callers than it takes at a time
            return True
        except OSError:
            return False
        return True


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket that is bound to an address of this machine; port 0 takes a free one. Raises LabError."""
    try:
        family, _kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise LabError(
            attempted=f"Listen on {host}, port {port}",
            seen=error.strerror or str(error),
            remedy="Give an address that this machine has, and a port that nobody listens on",
        ) from error


@contextlib.asynccontextmanager
async def serve_grpc(where: Path | socket.socket, services: "Collection[IServable]") -> AsyncIterator[None]:
    """Serve gRPC services while the block runs; afterwards the socket and all connections are gone.

    It listens on a Unix socket, whose path is given, or on a socket that `bind` made.
    """
    server = _Server(services)
    if isinstance(where, Path):
        prepare(where)
        await server.start(path=str(where))
    else:
        await server.start(sock=where)
    try:
        yield
    finally:
        server.close()
        server.disconnect()
        await server.wait_closed()
        if isinstance(where, Path):
            where.unlink(missing_ok=True)


def _lost(protocol: H2Protocol, lose: Callable[[BaseException | None], None], error: BaseException | None) -> None:
    lose(error)
    protocol.resume_writing()


class _Server(Server):
    """grpclib leaves the connections of a closed server open (Python 3.12.1 and later even wait for them).

    The peers would wait for ever on streams that nobody writes to any more. And a call that would write to a connection
    which was lost while its peer did not read waits for ever, and with it a server that is to end.
    """

    def __init__(self, services: "Collection[IServable]") -> None:
        super().__init__(services)
        self._protocols: weakref.WeakSet[H2Protocol] = weakref.WeakSet()

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        protocol.connection_lost = partial(_lost, protocol, protocol.connection_lost)  # type: ignore[method-assign]
        self._protocols.add(protocol)
        return protocol

    def disconnect(self) -> None:
        """Close every connection."""
        for protocol in self._protocols:
            if hasattr(protocol, "connection"):
                protocol.connection.close()


@contextlib.asynccontextmanager
async def grpc_channel(path: Path) -> AsyncIterator[Channel]:
    """A channel to the gRPC server on a Unix socket."""
    channel = BoundedChannel(path=str(path))
    try:
        yield channel
    finally:
        channel.close()
