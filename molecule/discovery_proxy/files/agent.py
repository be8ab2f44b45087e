"""Stands in for an agent: takes registrations and keeps a Discover stream open to each handler; prints each list."""

import asyncio
import sys
from pathlib import Path

from edgelab.service.sockets import serve_grpc
from edgelab.wire import discovery_pb2 as wire
from edgelab.wire.discovery_grpc import DiscoveryHandlerStub, RegistrationBase
from grpclib.client import Channel
from grpclib.exceptions import GRPCError, StreamTerminatedError


class Agent(RegistrationBase):
    """Asks every handler that registers for the same details."""

    def __init__(self, details: str) -> None:
        self._details = details
        self._streams: set[asyncio.Task[None]] = set()

    async def RegisterDiscoveryHandler(self, stream) -> None:  # noqa: N802
        handler = await stream.recv_message()
        await stream.send_message(wire.Empty())
        self._streams.add(asyncio.create_task(self._listen(handler.endpoint)))

    async def _listen(self, endpoint: str) -> None:
        channel = Channel(path=endpoint)
        try:
            async with DiscoveryHandlerStub(channel).Discover.open() as stream:
                await stream.send_message(wire.DiscoverRequest(discovery_details=self._details), end=True)
                async for response in stream:
                    say(f"devices: {[device.id for device in response.devices]}")
        except (GRPCError, StreamTerminatedError, OSError) as error:
            say(f"lost: {error}")
        finally:
            channel.close()


def say(line: str) -> None:
    """To the log, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(socket: str, details: str) -> None:
    """Serve until killed."""
    async with serve_grpc(Path(socket), [Agent(details)]):
        await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
