"""A module's HTTP client: one request, its redirects followed, each of them decided anew by the policy.

A connection is used once. No proxy is used, whatever the environment says. The response is read whole into memory.
"""

import contextlib
import http.client
import ssl
from collections.abc import Callable

from edgelab.node.outbound.connection import (
    Deadline,
    Resolve,
    TimedSocket,
    allowed_addresses,
    connect,
    secure,
    system_addresses,
    system_trust,
)
from edgelab.node.outbound.errors import Number, OutboundError
from edgelab.node.outbound.message import Request, Response, redirected
from edgelab.node.outbound.policy import Policy

MOST_REDIRECTS = 5
SECONDS = 30.0
"""How long a request may take with all its redirects."""

LARGEST_BODY = 8 * 1024 * 1024
LARGEST_HEADERS = 256 * 1024
"""Bytes of a response."""


class Client:
    """Sends requests as far as a policy allows."""

    def __init__(
        self,
        policy: Policy,
        *,
        resolve: Resolve = system_addresses,
        trust: Callable[[], ssl.SSLContext] = system_trust,
        seconds: float = SECONDS,
    ) -> None:
        self._policy, self._resolve, self._trust, self._seconds = policy, resolve, trust, seconds

    def send(self, request: Request) -> Response:
        """Ask, and follow redirects. Raises OutboundError: NOT_ALLOWED, or REQUEST_FAILED for all that can go wrong."""
        deadline = Deadline(self._seconds)
        try:
            for _redirect in range(MOST_REDIRECTS + 1):
                answer = self._once(request, deadline)
                if isinstance(answer, Response):
                    return answer
                request = answer
        # ValueError, too: the standard library lets some of what is malformed end as one.
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise OutboundError(Number.REQUEST_FAILED, str(error)) from error
        raise OutboundError(Number.REQUEST_FAILED, f"more than {MOST_REDIRECTS} redirects")

    def _once(self, request: Request, deadline: Deadline) -> Response | Request:
        wanted = request.url.endpoint
        if not self._policy.allows(wanted):
            raise OutboundError(Number.NOT_ALLOWED, f"nothing allows {wanted.scheme}://{wanted.authority}")
        addresses = allowed_addresses(wanted, self._policy, self._resolve, deadline)
        with contextlib.ExitStack() as opened:
            connection = opened.enter_context(connect(wanted, addresses, deadline))
            if wanted.scheme == "https":
                connection = opened.enter_context(secure(connection, wanted.host, self._trust(), deadline))
            return _exchange(request, TimedSocket(connection, deadline))


def _exchange(request: Request, connection: TimedSocket) -> Response | Request:
    """Send a request and read the answer, or the request that it redirects to."""
    wanted = request.url.endpoint
    protocol = http.client.HTTPConnection(wanted.host, wanted.port)
    protocol.sock = connection
    protocol.putrequest(request.method, request.url.target, skip_host=True, skip_accept_encoding=True)
    for name, value in (_own_headers(request) | dict(request.headers)).items():
        protocol.putheader(name, value)
    protocol.endheaders(request.body)
    answer = protocol.getresponse()
    following = redirected(request, answer.status, answer.getheader("location"))
    return following or _read(answer)


def _own_headers(request: Request) -> dict[str, str]:
    has_length = request.body or request.method in ("POST", "PUT", "PATCH")
    length = {"content-length": str(len(request.body))} if has_length else {}
    return {"host": request.url.endpoint.authority, "accept": "*/*", "connection": "close"} | length


def _read(answer: http.client.HTTPResponse) -> Response:
    head = Response(answer.status, answer.getheaders())
    if answer.status < 200:
        raise OutboundError(Number.REQUEST_FAILED, "the server wants to speak another protocol")
    if len(head.header_lines) > LARGEST_HEADERS:
        raise OutboundError(Number.REQUEST_FAILED, f"the headers have more than {LARGEST_HEADERS} bytes")
    body = answer.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        raise OutboundError(Number.REQUEST_FAILED, f"the body has more than {LARGEST_BODY} bytes")
    if answer.length:
        raise OutboundError(Number.REQUEST_FAILED, f"{answer.length} bytes of the body are missing")
    return Response(head.status, head.headers, body)
