"""The responses that a module holds open. What they take of the node's memory is bounded, in number and in bytes."""

from edgelab.node.outbound.client import LARGEST_BODY, LARGEST_HEADERS
from edgelab.node.outbound.errors import Number, OutboundError
from edgelab.node.outbound.message import Response

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of all open responses together: a request that could exceed them has to wait until others are closed."""

_OVERHEAD = 4 * 1024
"""Bytes that even an empty response takes, at most."""

_HANDLES = 2**32


class Session:
    """A response, and how far its body has been read; `size` is what it takes of memory, in bytes."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.size = len(response.body) + len(response.header_lines) + _OVERHEAD
        self._position = 0

    def read(self, most: int) -> bytes:
        """The next bytes of the body; none at its end."""
        chunk = self.response.body[self._position : self._position + most]
        self._position += len(chunk)
        return chunk


class Sessions:
    """Responses by handle."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[int, Session] = {}
        self._held = 0
        self._next = 0

    def make_room(self) -> None:
        """Raises OutboundError when there is no room for one more."""
        if len(self._open) >= self._most or self._held + LARGEST_BODY + LARGEST_HEADERS > MOST_BYTES:
            raise OutboundError(Number.TOO_MANY_SESSIONS)

    def add(self, response: Response) -> int:
        """Keep a response until its handle is closed; a handle is not given again soon."""
        while self._next in self._open:
            self._next = (self._next + 1) % _HANDLES
        handle = self._next
        self._open[handle] = session = Session(response)
        self._held += session.size
        self._next = (handle + 1) % _HANDLES
        return handle

    def get(self, handle: int) -> Session:
        """The session of a handle. Raises OutboundError when it is not open."""
        if handle not in self._open:
            raise OutboundError(Number.INVALID_HANDLE)
        return self._open[handle]

    def close(self, handle: int) -> None:
        """Let go of a response. Raises OutboundError when it is not open."""
        self._held -= self.get(handle).size
        del self._open[handle]
