"""The host calls `wasi_experimental_http`, as Krustlet gives them to every module.

A call answers 0 or the number of its error; it neither raises nor ends the module, whatever it is given. `req` blocks
until the response is there, which it holds until the module closes it.
"""

from collections.abc import Callable

import wasmtime

from edgelab.node.outbound import message
from edgelab.node.outbound.client import Client
from edgelab.node.outbound.errors import Number, OutboundError
from edgelab.node.outbound.memory import GuestMemory
from edgelab.node.outbound.policy import Policy
from edgelab.node.outbound.sessions import Sessions
from edgelab.node.outbound.urls import LONGEST_URL

MODULE = "wasi_experimental_http"

LARGEST_REQUEST = 1024 * 1024
"""Bytes of a request's body."""

_LARGEST_HEADERS = 64 * 1024
_LONGEST_WORD = 256
_UNSIGNED = 0xFFFF_FFFF
_PARAMETERS = {"req": 10, "body_read": 4, "header_get": 6, "headers_get_all": 4, "close": 1}

_Call = Callable[..., None]


def define(linker: wasmtime.Linker, policy: Policy, client: Client | None = None) -> None:
    """Give the calls to modules of a linker; without a client, one that goes by the policy."""
    calls = HostCalls(client or Client(policy), Sessions(policy.most_open))
    number = wasmtime.ValType.i32
    for name, count in _PARAMETERS.items():
        kind = wasmtime.FuncType([number() for _parameter in range(count)], [number()])
        linker.define_func(MODULE, name, kind, _answering(getattr(calls, name)), access_caller=True)


def _answering(call: _Call) -> Callable[..., int]:
    """The call with numbers for errors, and its arguments unsigned as they are meant."""

    def answer(caller: wasmtime.Caller, *arguments: int) -> int:
        try:
            call(GuestMemory(caller), *(argument & _UNSIGNED for argument in arguments))
        except OutboundError as error:
            return error.number
        except Exception:  # an error of ours must not end the module
            return Number.RUNTIME
        return 0

    return answer


class HostCalls:
    """What the calls do; pointers and lengths are of the module's memory. They raise OutboundError."""

    def __init__(self, client: Client, sessions: Sessions) -> None:
        self._client, self._sessions = client, sessions

    def req(self, memory: GuestMemory, *where: int) -> None:
        """Send a request: URL, method, headers and body, each as pointer and length; pointers to status and handle."""
        url, method, headers, body = zip(where[0:8:2], where[1:8:2], strict=True)
        status_at, handle_at = where[8:]
        self._sessions.make_room()
        memory.see_writable(status_at, 2)
        memory.see_writable(handle_at, 4)
        asked = message.request(
            memory.read_text(*_within(url, LONGEST_URL, Number.INVALID_URL)),
            memory.read_text(*_within(method, _LONGEST_WORD, Number.INVALID_METHOD)),
            memory.read_text(*_within(headers, _LARGEST_HEADERS, Number.INVALID_ENCODING)),
            memory.read(*_within(body, LARGEST_REQUEST, Number.REQUEST_FAILED)),
        )
        response = self._client.send(asked)
        memory.write_number(status_at, response.status, size=2)
        memory.write_number(handle_at, self._sessions.add(response))

    def body_read(self, memory: GuestMemory, handle: int, buffer: int, length: int, read_at: int) -> None:
        """Read on in a body; nothing is read at its end."""
        session = self._sessions.get(handle)
        memory.see_writable(buffer, length)
        memory.see_writable(read_at, 4)
        chunk = session.read(length)
        memory.write(buffer, chunk)
        memory.write_number(read_at, len(chunk))

    def header_get(
        self, memory: GuestMemory, handle: int, name: int, name_length: int, buffer: int, length: int, written_at: int
    ) -> None:
        """The value of a header."""
        response = self._sessions.get(handle).response
        value = response.header(memory.read_text(name, name_length))
        if value is None:
            raise OutboundError(Number.HEADER_NOT_FOUND)
        _fill(memory, buffer, length, value)
        memory.write_number(written_at, len(value))

    def headers_get_all(self, memory: GuestMemory, handle: int, buffer: int, length: int, written_at: int) -> None:
        """All headers as text."""
        lines = self._sessions.get(handle).response.header_lines
        _fill(memory, buffer, length, lines)
        memory.write_number(written_at, len(lines))

    def close(self, _memory: GuestMemory, handle: int) -> None:
        """Let go of a response."""
        self._sessions.close(handle)


def _within(place: tuple[int, int], most: int, otherwise: Number) -> tuple[int, int]:
    """The pointer and length that were given, unless it is too much to look at."""
    if place[1] > most:
        raise OutboundError(otherwise, f"longer than {most} bytes")
    return place


def _fill(memory: GuestMemory, buffer: int, length: int, value: bytes) -> None:
    if len(value) > length:
        raise OutboundError(Number.BUFFER_TOO_SMALL)
    memory.write(buffer, value)
