# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a certificate signing request asks for, and how that differs from what may be approved. Pure.

A request is judged by everything that ends up in the certificate and by who asked for it. What cannot be read counts
as a deviation, never as a match.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

try:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False


@dataclass(frozen=True)
class Content:
    """A request's content, or the content that is wanted; the order of values never matters.

    `others` are the parts of a request that can never be wanted: further subject attributes, names of other types,
    further extensions, a signature that does not belong to its key.
    """

    signer: str
    username: str
    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    usages: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deviation:
    """One thing in which a request differs from what was wanted."""

    field: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.field}: wanted {self.wanted or 'none'}, found {self.found or 'none'}"


def wanted(params: Mapping[str, Any]) -> Content:
    """The wanted content from a module's options; raises ValueError for an address that is none."""
    return Content(
        signer=params["signer"],
        username=params["username"],
        common_name=params["common_name"],
        organizations=_sorted(params["organizations"]),
        dns_names=_sorted(params["dns_names"]),
        ip_addresses=_sorted(str(ipaddress.ip_address(text)) for text in params["ip_addresses"]),
        usages=_sorted(params["usages"]),
    )


def deviations(want: Content, request: Mapping[str, Any]) -> list[Deviation]:
    """Every field in which a CertificateSigningRequest differs from what is wanted."""
    try:
        found = read(request)
    except (KeyError, ValueError, TypeError) as error:
        return [Deviation("request", "a PKCS#10 request", f"something unreadable ({error})")]
    return [
        Deviation(field.name, _text(getattr(want, field.name)), _text(getattr(found, field.name)))
        for field in fields(Content)
        if getattr(want, field.name) != getattr(found, field.name)
    ]


def read(request: Mapping[str, Any]) -> Content:
    """The content of a CertificateSigningRequest. Raises ValueError when its PKCS#10 part cannot be read."""
    spec = request["spec"]
    pkcs10 = x509.load_pem_x509_csr(base64.b64decode(spec["request"]))
    names = _alternative_names(pkcs10)
    return Content(
        signer=spec["signerName"],
        username=spec.get("username", ""),
        common_name=",".join(_subject(pkcs10, NameOID.COMMON_NAME)),
        organizations=_sorted(_subject(pkcs10, NameOID.ORGANIZATION_NAME)),
        dns_names=_sorted(name.value for name in names if isinstance(name, x509.DNSName)),
        ip_addresses=_sorted(str(name.value) for name in names if isinstance(name, x509.IPAddress)),
        usages=_sorted(spec.get("usages") or ()),
        others=_others(pkcs10, names),
    )


def _subject(pkcs10: Any, oid: Any) -> list[str]:
    return [str(attribute.value) for attribute in pkcs10.subject.get_attributes_for_oid(oid)]


def _alternative_names(pkcs10: Any) -> list[Any]:
    try:
        return list(pkcs10.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _others(pkcs10: Any, names: Iterable[Any]) -> tuple[str, ...]:
    ours = (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    others = [attribute.rfc4514_string() for attribute in pkcs10.subject if attribute.oid not in ours]
    others += [repr(name) for name in names if not isinstance(name, (x509.DNSName, x509.IPAddress))]
    others += [
        f"extension {extension.oid.dotted_string}"
        for extension in pkcs10.extensions
        if not isinstance(extension.value, x509.SubjectAlternativeName)
    ]
    others += [] if pkcs10.is_signature_valid else ["a signature by another key"]
    return _sorted(others)


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(values))


def _text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(value)
