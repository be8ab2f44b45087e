"""Where a container's requests may go, decided by the URL and then by the address that its host stands for. Pure.

Nothing is allowed by default. Krustlet's annotation of the Pod allows hosts, of which ports and schemes do not count;
beyond Krustlet, the endpoints that the container's devices name in their properties are allowed exactly: being given a
device is the permission to talk to it. Refused whatever allows them are the addresses of `addresses.py` and, as
`connection.py` finds out, the lab's own processes. Loopback is for devices, and for annotations that name it.
"""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgelab.core.errors import LabError
from edgelab.node.outbound import urls
from edgelab.node.outbound.addresses import Address, is_forbidden
from edgelab.node.outbound.urls import Endpoint

ALLOWED_DOMAINS = "alpha.wasi.krustlet.dev/allowed-domains"
MOST_REQUESTS = "alpha.wasi.krustlet.dev/max-concurrent-requests"

MOST_OPEN = 64
"""How many responses a module may hold open when no annotation says."""


@dataclass(frozen=True, slots=True)
class Socket:
    """Where a process of the lab listens; `host` is an IP address or a name."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Where requests may go: `hosts` by annotation, `endpoints` of devices, never to `refused`.

    `most_open` is how many responses may be open at a time.
    """

    hosts: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    refused: tuple[Socket, ...] = ()
    most_open: int = MOST_OPEN

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Policy":
        """The inverse of dataclasses.asdict, also after a way through JSON."""
        return cls(
            hosts=tuple(fields["hosts"]),
            endpoints=tuple(Endpoint(**each) for each in fields["endpoints"]),
            refused=tuple(Socket(**each) for each in fields["refused"]),
            most_open=fields["most_open"],
        )

    def allows(self, wanted: Endpoint) -> bool:
        """A request may be about this endpoint, if its address is right."""
        return wanted in self.endpoints or wanted.host in self.hosts

    def allows_address(self, wanted: Endpoint, address: Address) -> bool:
        """A request about an allowed endpoint may go to this address, if no process of the lab listens there."""
        if is_forbidden(address):
            return False
        # Of an annotated name somebody else says what it stands for: that must not become this machine.
        return not address.is_loopback or wanted in self.endpoints or _is_loopback(wanted.host)


NOWHERE = Policy()
"""Without annotations and devices."""


def policy(annotations: Mapping[str, str], devices: Mapping[str, str], refused: tuple[Socket, ...]) -> Policy:
    """The policy of a container: annotations of its Pod, variables of its devices. Raises LabError as `check` does."""
    return Policy(_hosts(annotations), endpoints(devices), refused, _most_open(annotations))


def check(annotations: Mapping[str, str]) -> None:
    """Raise LabError when one of the annotations cannot be understood."""
    _hosts(annotations)
    _most_open(annotations)


def endpoints(variables: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """The endpoints of those values that are http or https URLs."""
    found: dict[Endpoint, None] = {}
    for value in variables.values():
        try:
            found[urls.parse(value).endpoint] = None
        except ValueError:
            continue
    return tuple(found)


def _hosts(annotations: Mapping[str, str]) -> tuple[str, ...]:
    text = annotations.get(ALLOWED_DOMAINS, "[]")
    try:
        domains = json.loads(text)
        if not isinstance(domains, list) or not all(isinstance(domain, str) for domain in domains):
            raise ValueError("it is no list of strings")
        return tuple(urls.parse(domain).endpoint.host for domain in domains)
    except (ValueError, RecursionError) as error:
        wanted = 'a JSON array of URLs, for example ["https://example.com"]'
        raise _malformed(ALLOWED_DOMAINS, text, f"{error}", wanted) from error


def _most_open(annotations: Mapping[str, str]) -> int:
    text = annotations.get(MOST_REQUESTS)
    if text is None:
        return MOST_OPEN
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise _malformed(MOST_REQUESTS, text, "it is no such number", 'a number of requests, for example "4"')
    return int(text)


def _malformed(annotation: str, text: str, seen: str, wanted: str) -> LabError:
    return LabError(
        attempted=f"Read the annotation {annotation}",
        seen=f"{text[:80]!r}: {seen}",
        remedy=f"Write {wanted}, and make the Pod anew",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
