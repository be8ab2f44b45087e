"""HTTP servers for this machine's browsers: no page of another site may read or change anything through them.

A name that resolves to this machine (DNS rebinding) is refused by its Host header. A request that changes something
must come from a page of the server itself or from no page at all, and be JSON, which other sites' forms cannot send.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_READING = ("GET", "HEAD")
_SEND_BUFFER = 128 * 1024


def refusal(method: str, headers: Mapping[str, str], names: Collection[str] = ()) -> tuple[HTTPStatus, str] | None:
    """Why a request is refused, or None; names are what the server is called beside its address and `localhost`."""
    host = headers.get("Host", "")
    if not _is_ours(host, names):
        return HTTPStatus.FORBIDDEN, f"Host is {host!r}: this server answers to localhost and its address only"
    if method in _READING:
        return None
    if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin" or not _is_same(headers.get("Origin"), host):
        return HTTPStatus.FORBIDDEN, "Pages of other sites may not change anything here"
    if headers.get("Content-Type", "").split(";")[0].strip().lower() != "application/json":
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json"
    return None


def guard(names: Collection[str] = ()) -> Middleware:
    """An aiohttp middleware that refuses what `refusal` names."""

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = refusal(request.method, request.headers, names)
        if refused:
            return web.Response(status=refused[0], text=refused[1] + "\n")
        return await handler(request)

    return refuse


def in_url(host: str) -> str:
    """A host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def keep_short(transport: asyncio.WriteTransport) -> None:
    """Let few pictures wait on their way to a slow viewer, who would see them late: the kernel would take megabytes."""
    transport.set_write_buffer_limits(high=0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


def _is_ours(host: str, names: Collection[str]) -> bool:
    # Rebinding takes a name that its owner can point elsewhere; an address is always itself.
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in ("localhost", *names) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(origin: str | None, host: str) -> bool:
    return origin is None or origin == f"http://{host}"
