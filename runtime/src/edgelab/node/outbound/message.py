"""Requests and responses: their headers as text, methods, and where a redirect leads. Pure.

Headers travel between module and node as text, one `name:value` per line. The node says itself whom a request is for
and how long it is; headers about the connection are its own affair, as with any proxy.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin

from edgelab.node.outbound import urls
from edgelab.node.outbound.errors import Number, OutboundError
from edgelab.node.outbound.urls import Url

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_LINE_BREAK = re.compile(r"\s*[\r\n]+\s*")
_HOP_BY_HOP = frozenset({"connection", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
_OF_PROXIES = frozenset({"proxy-authenticate", "proxy-authorization", "proxy-connection"})
_NOT_THE_MODULES = _HOP_BY_HOP | _OF_PROXIES | {"content-length"}
_FOR_ONE_ORIGIN = frozenset({"authorization", "cookie"})
_ABOUT_A_BODY = frozenset({"content-type", "content-encoding", "content-language", "content-location"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPING_THE_METHOD = frozenset({307, 308})


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask; the names of headers are in lower case."""

    method: str
    url: Url
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered; headers in the order and number that they came in, text that stands for bytes (Latin-1)."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> bytes | None:
        """The value of the first header of that name."""
        values = (_one_line(value) for each, value in self.headers if each.lower() == name.lower())
        return next(values, None)

    @property
    def header_lines(self) -> bytes:
        """All headers as a module gets them."""
        return b"".join(b"%s:%s\n" % (name.lower().encode("latin-1"), _one_line(value)) for name, value in self.headers)


def request(url: str, method: str, headers: str, body: bytes) -> Request:
    """Check what a module asks for. Raises OutboundError with the number of what is wrong."""
    try:
        parsed = urls.parse(url)
    except ValueError as error:
        raise OutboundError(Number.INVALID_URL, str(error)) from error
    if method.upper() not in METHODS:
        raise OutboundError(Number.INVALID_METHOD, method)
    return Request(method.upper(), parsed, _read_headers(headers), body)


def redirected(asked: Request, status: int, location: str | None) -> Request | None:
    """The request that a response sends us to, or None when it is no redirect.

    As browsers do: a POST becomes a GET unless the status says to keep the method, and what was meant for one origin
    is not told another. Raises OutboundError when the URL is one that nothing could allow.
    """
    if status not in _REDIRECTS or not location:
        return None
    try:
        url = urls.parse(urljoin(str(asked.url), location))
    except ValueError as error:
        raise OutboundError(Number.NOT_ALLOWED, str(error)) from error
    dropped: frozenset[str] = frozenset()
    following = replace(asked, url=url)
    if status not in _KEEPING_THE_METHOD and asked.method not in ("GET", "HEAD"):
        following, dropped = replace(following, method="GET", body=b""), _ABOUT_A_BODY
    if url.endpoint != asked.url.endpoint:
        dropped |= _FOR_ONE_ORIGIN
    return replace(following, headers={name: text for name, text in asked.headers.items() if name not in dropped})


def _read_headers(text: str) -> dict[str, str]:
    headers = dict(_read_header(line.removesuffix("\r")) for line in text.removesuffix("\n").split("\n") if text)
    if "host" in headers:
        raise OutboundError(Number.INVALID_ENCODING, "the URL says whom the request is for")
    dropped = _NOT_THE_MODULES | {name.strip().lower() for name in headers.get("connection", "").split(",")}
    return {name: value for name, value in headers.items() if name not in dropped}


def _read_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not (colon and _TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
        raise OutboundError(Number.INVALID_ENCODING, f"{line[:80]!r} is no header")
    return name.lower(), value.strip()


def _one_line(value: str) -> bytes:
    return _LINE_BREAK.sub(" ", value).encode("latin-1")
