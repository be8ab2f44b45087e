"""Asking a discovery service once, within limits: 10 s, 1 MiB, and redirects that stay with the same server."""

import asyncio
import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)

from edgelab.discovery.handlers.http.listing import is_endpoint

LARGEST_BODY = 1024 * 1024
MOST_REDIRECTS = 5

_REDIRECTS = (301, 302, 303, 307, 308)


class FetchError(Exception):
    """The service did not answer with a body; the text says what it did."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for connecting, between two pieces of an answer, and for all of it with its redirects."""

    connect: float = 5.0
    read: float = 5.0
    total: float = 10.0


def check_url(url: str) -> None:
    """Raise ValueError for what is no URL of a service."""
    if not is_endpoint(url):
        raise ValueError(f"url is {url!r}; an http or https URL is wanted, such as http://discovery:9999/discovery")
    if "@" in urlsplit(url).netloc:
        raise ValueError("url has a user name or password in it, which everybody could read; leave it out")


def open_session(patience: Patience = Patience()) -> ClientSession:
    """A session for `fetch_body`; each question has its own connection: a restarted service does not look broken."""
    timeout = ClientTimeout(total=patience.total, sock_connect=patience.connect, sock_read=patience.read)
    return ClientSession(
        timeout=timeout,
        connector=TCPConnector(force_close=True),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        headers={"Accept": "text/plain, */*;q=0.1", "Accept-Encoding": "identity"},
    )


async def fetch_body(session: ClientSession, url: str) -> bytes:
    """The body of the answer to GET. Raises FetchError."""
    asked = url
    try:
        async with asyncio.timeout(session.timeout.total):
            for _hop in range(MOST_REDIRECTS + 1):
                async with session.get(asked, allow_redirects=False, proxy=proxy_for(asked)) as response:
                    if response.status not in _REDIRECTS:
                        return await _body(response)
                    asked = _redirected(asked, response)
    except TimeoutError as error:
        how = str(error) or f"not within {session.timeout.total:g} s"
        raise FetchError(f"it does not answer in time ({how})") from error
    except ClientConnectorError as error:
        raise FetchError(f"it cannot be reached: {_reason(error.os_error)}") from error
    except (ClientError, OSError, ValueError) as error:
        raise FetchError(str(error) or type(error).__name__) from error
    raise FetchError(f"it redirects more than {MOST_REDIRECTS} times")


def proxy_for(url: str) -> str | None:
    """The environment's proxy for a URL; none for this machine, where a proxy could only be wrong."""
    proxies, parts = getproxies(), urlsplit(url)
    host = parts.hostname or ""
    if _is_loopback(host) or proxy_bypass(host, proxies):
        return None
    return proxies.get(parts.scheme)


def _reason(error: OSError) -> str:
    # asyncio's own text names the address again; the resolver's errors have numbers below zero.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _redirected(asked: str, response: ClientResponse) -> str:
    location = response.headers.get("Location", "")
    target = urljoin(asked, location)
    if not location or not is_endpoint(target) or _origin(target) != _origin(asked):
        raise FetchError(f"it redirects to {location or 'nowhere'!r}, which is another server and is not followed")
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]


async def _body(response: ClientResponse) -> bytes:
    if response.status != 200:
        raise FetchError(f"it answers {response.status} {response.reason or ''}".rstrip())
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise FetchError(f"it answers in the encoding {encoding}, which it was not asked for")
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > LARGEST_BODY:
            raise FetchError(f"its answer is larger than {LARGEST_BODY} bytes")
    return bytes(body)
