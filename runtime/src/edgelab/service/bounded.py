"""gRPC calls that take no message above 4 MiB, as those of gRPC's own clients; grpclib reads messages of any size."""

from collections.abc import Callable
from functools import partial
from typing import Any

from grpclib.client import Channel
from grpclib.exceptions import ProtocolError
from grpclib.protocol import H2Protocol, Stream

LARGEST_MESSAGE = 4 * 1024 * 1024
"""Bytes of a message that is taken."""


class BoundedChannel(Channel):
    """A channel whose calls raise ProtocolError for a message that is announced as too large, before they read it."""

    async def _create_connection(self) -> H2Protocol:
        protocol = await super()._create_connection()
        connection = protocol.processor.connection
        connection.create_stream = partial(_bounded, connection.create_stream)  # type: ignore[method-assign]
        return protocol


def _bounded(create: Callable[..., Stream], **options: Any) -> Stream:
    """A stream that refuses to read so much at once: a message is read at once, after its length."""
    stream = create(**options)
    receive = stream.recv_data

    async def receive_bounded(size: int) -> bytes:
        if size > LARGEST_MESSAGE:
            raise ProtocolError(f"a message has {size} bytes, more than {LARGEST_MESSAGE}")
        return await receive(size)

    stream.recv_data = receive_bounded  # type: ignore[method-assign]
    return stream
