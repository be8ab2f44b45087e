"""Connecting to whom the policy allows: a host is resolved once, and what was checked is what is connected to.

Everything has one deadline, also where the other side sends a byte at a time. The functions block.
"""

import functools
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from edgelab.node.outbound.addresses import Address, plain
from edgelab.node.outbound.errors import Number, OutboundError
from edgelab.node.outbound.policy import Policy
from edgelab.node.outbound.urls import Endpoint

Resolve = Callable[[str], Sequence[str]]
"""Gives the addresses of a name; raises OSError when it has none."""

_CHUNK = 64 * 1024
_ANY_PORT = 9


class Deadline:
    """A time by which all is to be done; times in seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """How long there is still; raises TimeoutError when the time has passed."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the request took too long")
        return seconds


class TimedSocket:
    """A connected socket whose every operation ends by the deadline, as far as http.client uses sockets."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        for at in range(0, len(data), _CHUNK):
            self._connection.settimeout(self._deadline.left())
            self._connection.sendall(data[at : at + _CHUNK])

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A file to read what comes from."""
        return io.BufferedReader(_Incoming(self._connection, self._deadline))

    def close(self) -> None:
        """Nothing: http.client closes sockets before it has read from them; who connected closes this one."""


class _Incoming(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.left())
        return self._connection.recv_into(buffer)


def system_addresses(host: str) -> list[str]:
    """What the system's resolver says of a name."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


@functools.cache
def system_trust() -> ssl.SSLContext:
    """Verifies servers by the authorities that the system trusts; they are read when the first https URL is asked."""
    return ssl.create_default_context()


def allowed_addresses(wanted: Endpoint, policy: Policy, resolve: Resolve, deadline: Deadline) -> list[Address]:
    """The addresses that a request about an allowed endpoint may go to; at least one.

    Raises OutboundError when the policy allows none of them, OSError when there is none or the time has passed.
    """
    refused = [each.host for each in policy.refused if each.port == wanted.port]
    own = [address for host in refused for address in _addresses(host, resolve, deadline)]
    found = _addresses(wanted.host, resolve, deadline)
    allowed = [each for each in found if policy.allows_address(wanted, each) and not _is_the_labs(each, own)]
    if not allowed:
        raise OutboundError(Number.NOT_ALLOWED, f"{wanted.authority} is at {', '.join(map(str, found))}")
    return allowed


def is_local(address: Address) -> bool:
    """Whether an address is this machine's own: what goes there comes from there."""
    if address.is_loopback:
        return True
    with socket.socket(_family(address), socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), _ANY_PORT))  # of a datagram socket, this sends nothing
        except OSError:
            return False
        return plain(probe.getsockname()[0]) == address


def connect(wanted: Endpoint, addresses: Sequence[Address], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; each gets an equal part of the time. Raises the last one's OSError."""
    for tried, address in enumerate(addresses):
        is_last = tried == len(addresses) - 1
        try:
            return _connect(address, wanted.port, deadline.left() / (len(addresses) - tried))
        except OSError:
            if is_last:
                raise
    raise AssertionError("there is at least one address")


def secure(connection: socket.socket, host: str, trust: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    """Speak TLS with a server that proves to be the host. Raises OSError (ssl.SSLError) when it does not."""
    connection.settimeout(deadline.left())
    return trust.wrap_socket(connection, server_hostname=host)


def _is_the_labs(address: Address, own: Sequence[Address]) -> bool:
    """A process of the lab listens there, or may do so, since one that is on this machine may listen on all of it."""
    return address in own or (any(is_local(each) for each in own) and is_local(address))


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _connect(address: Address, port: int, seconds: float) -> socket.socket:
    connection = socket.socket(_family(address), socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((str(address), port))
    except OSError:
        connection.close()
        raise
    return connection


def _addresses(host: str, resolve: Resolve, deadline: Deadline) -> list[Address]:
    try:
        return [plain(host)]
    except ValueError:
        return list(dict.fromkeys(plain(text) for text in _in_time(lambda: resolve(host), deadline)))


def _in_time(ask: Callable[[], Sequence[str]], deadline: Deadline) -> Sequence[str]:
    """Ask in a thread, which is left to itself when the time has passed: a resolver knows no deadline."""
    answers: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

    def answer() -> None:
        try:
            answers.put(ask())
        except OSError as error:
            answers.put(error)

    threading.Thread(target=answer, daemon=True).start()
    try:
        found = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError("the resolver took too long") from None
    if isinstance(found, OSError):
        raise found
    return found
