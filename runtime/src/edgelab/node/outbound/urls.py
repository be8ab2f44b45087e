"""URLs as the policy compares them: one spelling for each endpoint, nothing that readers read differently. Pure.

Hosts are in lower case and ASCII (IDNA), without the dot at their end; an IPv4 address in any of the forms that a
resolver takes (`127.1`, `0x7f000001`, `2130706433`) is written as four numbers. Credentials in a URL are refused.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass

LONGEST_URL = 8 * 1024

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#\\@:\[\]%]+)(:(?P<port>[0-9]{0,5}))?(?P<target>([/?][^#]*)?)(#.*)?",
    re.IGNORECASE | re.ASCII,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_LONGEST_NAME = 253
_PORTS = {"http": 80, "https": 443}
_NOT_PRINTABLE = re.compile(rb"[^!-~]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom a URL is about; `host` is a name or an IP address without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As it stands in a Host header: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Url:
    """An endpoint and what to ask of it: path and query, percent-encoded."""

    endpoint: Endpoint
    target: str

    def __str__(self) -> str:
        return f"{self.endpoint.scheme}://{self.endpoint.authority}{self.target}"


def parse(text: str) -> Url:
    """Read an absolute http or https URL. Raises ValueError when it is none."""
    found = _URL.fullmatch(text)
    if found is None or len(text) > LONGEST_URL or _CONTROL.search(text):
        raise ValueError(f"{text[:80]!r} is no http or https URL")
    scheme = found["scheme"].lower()
    port = int(found["port"] or _PORTS[scheme])
    if not 0 < port < 2**16:
        raise ValueError(f"{port} is no port")
    return Url(Endpoint(scheme, canonical_host(found["host"]), port), _target(found["target"]))


def canonical_host(text: str) -> str:
    """The one spelling of a host. Raises ValueError for what is neither a name nor an address."""
    if text.startswith("["):
        return str(ipaddress.IPv6Address(text[1:-1]))
    host = text if text.isascii() else text.encode("idna").decode()
    host = host.lower().removesuffix(".")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _ipv4(host)
    if len(host) > _LONGEST_NAME or not _NAME.fullmatch(host):
        raise ValueError(f"{text[:80]!r} is no host")
    return host


def _ipv4(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(socket.inet_aton(host)))
    except OSError:
        raise ValueError(f"{host[:80]!r} is no IPv4 address") from None


def _target(text: str) -> str:
    path = text if text.startswith("/") else f"/{text}"
    return _NOT_PRINTABLE.sub(lambda byte: b"%%%02X" % ord(byte[0]), path.encode()).decode()
