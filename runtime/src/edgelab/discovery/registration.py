"""Keeping a discovery handler registered with the agent of its node."""

import asyncio
import contextlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from grpclib.exceptions import GRPCError, StreamTerminatedError

from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.service.sockets import grpc_channel
from edgelab.service.watching import DirectoryWatch, watch_directory
from edgelab.wire import discovery_pb2 as wire
from edgelab.wire.discovery_grpc import RegistrationStub

log = logging.getLogger(__name__)

_Identity = tuple[int, int, int]
"""Device, inode and birth of a socket file: tells one agent's socket from the next one's at the same path."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a TCP port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read HOST:PORT, an IPv6 address in brackets. Raises ValueError."""
        match = re.fullmatch(r"(\[([0-9a-fA-F:.]+)\]|([^\[\]:/@\s]+)):([0-9]{1,5})", text)
        if not match or int(match[4]) > 65535:
            raise ValueError(f"{text!r} is not HOST:PORT, such as 192.0.2.1:10000 or [2001:db8::1]:10000")
        return cls(match[2] or match[3], int(match[4]))

    def __str__(self) -> str:
        """The address as Akri's agents dial it, who want a scheme."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Registration:
    """What an agent is told about a handler, and the socket where it is told.

    `endpoint` is where the agent reaches it: a Unix socket, or an address as the agent sees it. `shared` says that
    several nodes may see the same device, which then has one name on all of them.
    """

    name: str
    endpoint: Path | Address
    shared: bool
    agent: Path


class Registrar:
    """Registers a handler at the start, once more whenever `register_again` is called, and with every new agent.

    While the agent cannot be reached it tries again, ever more rarely, and at once when an agent puts up its socket.
    """

    def __init__(self, registration: Registration, *, backoff: Backoff = Backoff(0.1, 10.0)) -> None:
        self._registration = registration
        self._backoff = backoff
        self._known_to: _Identity | None = None
        self._dropped = False
        self._complained = False
        self._wake = asyncio.Event()

    @property
    def registered(self) -> bool:
        """The agent that listens now knows the handler."""
        return self._known_to is not None and self._known_to == self._identity() and not self._dropped

    def register_again(self) -> None:
        """The agent may have forgotten the handler; several calls before it is told again count as one."""
        self._dropped = True
        self._wake.set()

    async def run(self) -> None:
        """Keep the handler registered until cancelled."""
        directory = self._registration.agent.parent
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with watch_directory(directory) as watch:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._wake_for_new_agents(watch))
                tasks.create_task(self._keep_registered())

    async def _wake_for_new_agents(self, watch: DirectoryWatch) -> None:
        while True:
            try:
                names = await watch.changed()
            except FileNotFoundError as error:
                raise LabError(
                    attempted="Wait for an agent to put up its registration socket", seen=str(error)
                ) from error
            if self._registration.agent.name in names:
                self._wake.set()

    async def _keep_registered(self) -> None:
        failures = 0
        while True:
            self._wake.clear()
            failures = 0 if self.registered or await self._register() else failures + 1
            # Not wait_for: before Python 3.12 that swallows a cancellation which comes together with the wake.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.delay(failures) if failures else None):
                    await self._wake.wait()

    async def _register(self) -> bool:
        identity, self._dropped = self._identity(), False
        try:
            await self._tell_agent()
        except (OSError, GRPCError, StreamTerminatedError) as error:
            self._known_to = None
            self._complain(error)
            return False
        self._known_to, self._complained = identity, False
        log.info("registered %s with the agent", self._registration.name)
        return True

    async def _tell_agent(self) -> None:
        endpoint, kinds = self._registration.endpoint, wire.RegisterDiscoveryHandlerRequest.EndpointType
        request = wire.RegisterDiscoveryHandlerRequest(
            name=self._registration.name,
            endpoint=str(endpoint),
            endpoint_type=kinds.NETWORK if isinstance(endpoint, Address) else kinds.UDS,
            shared=self._registration.shared,
        )
        async with grpc_channel(self._registration.agent) as channel:
            await RegistrationStub(channel).RegisterDiscoveryHandler(request, timeout=10.0)

    def _complain(self, error: Exception) -> None:
        """Say once that the agent is away, not with every try."""
        if not self._complained:
            log.warning("the agent at %s cannot be reached, waiting for it: %s", self._registration.agent, error)
        self._complained = True

    def _identity(self) -> _Identity | None:
        try:
            status = self._registration.agent.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns
