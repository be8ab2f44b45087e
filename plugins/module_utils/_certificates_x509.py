# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Making X.509 certificates, and telling what is wrong with one that exists. Pure: bytes in, bytes or a reason out.

Keys are EC P-256. Certificates begin five minutes early, so that a peer whose clock is a little behind accepts them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

HAS_CRYPTOGRAPHY = True
try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
        load_pem_public_key,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    HAS_CRYPTOGRAPHY = False

BACKDATE = timedelta(minutes=5)
USAGES = ("server", "client")


@dataclass(frozen=True)
class Authority:
    """A certificate authority: signs itself, valid for `days`."""

    name: str
    common_name: str
    days: int = 3650


@dataclass(frozen=True)
class Leaf:
    """A certificate that the named authority signs. `names` are DNS names and IP addresses, `usages` of USAGES."""

    name: str
    common_name: str
    organizations: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    usages: tuple[str, ...] = ("client",)
    days: int = 365
    authority: str = "ca"


@dataclass(frozen=True)
class Signer:
    """The authority's subject and key, which do not change when its certificate is renewed."""

    subject: x509.Name
    key: ec.EllipticCurvePrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    """A new private key."""
    return ec.generate_private_key(ec.SECP256R1())


def signer(authority: Authority, key: ec.EllipticCurvePrivateKey) -> Signer:
    """The authority as the one who signs."""
    return Signer(_subject(authority.common_name), key)


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """A private key as a file holds it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """The public half of a key as a file holds it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_key(content: bytes | None) -> ec.EllipticCurvePrivateKey | None:
    """The key in a file, or None when there is none that can be read."""
    try:
        key = load_pem_private_key(content or b"", password=None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def read_certificate(content: bytes | None) -> x509.Certificate | None:
    """The certificate in a file, or None when there is none that can be read."""
    try:
        return x509.load_pem_x509_certificate(content or b"")
    except ValueError:
        return None


def sign_authority(authority: Authority, key: ec.EllipticCurvePrivateKey, now: datetime) -> str:
    """The authority's certificate over its own key."""
    issuer = signer(authority, key)
    builder = _builder(issuer.subject, key, issuer, now, authority.days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def sign_leaf(leaf: Leaf, key: ec.EllipticCurvePrivateKey, issuer: Signer, now: datetime) -> str:
    """A leaf certificate over its key."""
    builder = _builder(_subject(leaf.common_name, leaf.organizations), key, issuer, now, leaf.days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(sorted(_usages(leaf.usages), key=str)), critical=False)
    if leaf.names:
        names = x509.SubjectAlternativeName([_general_name(name) for name in leaf.names])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.PEM).decode()


def authority_flaw(authority: Authority, content: bytes | None, now: datetime, renew_before: timedelta) -> str | None:
    """Why the authority's certificate has to be signed anew, or None. Reasons continue a sentence: "NAME ends on"."""
    certificate = read_certificate(content)
    if certificate is None:
        return _unreadable(content)
    if certificate.subject != _subject(authority.common_name):
        return "has another subject"
    return _age_flaw(certificate, now, renew_before)


def leaf_flaw(
    leaf: Leaf,
    content: bytes | None,
    key: bytes | None,
    issuer: Signer,
    now: datetime,
    renew_before: timedelta,
) -> str | None:
    """Why a leaf has to be issued anew, or None."""
    certificate, private = read_certificate(content), read_key(key)
    if certificate is None:
        return _unreadable(content)
    if private is None:
        return f"has a key that {_unreadable(key)}"
    if certificate.public_key() != private.public_key():
        return "has a key of another certificate"
    if not _signed_by(certificate, issuer):
        return "was signed by another authority"
    return _content_flaw(leaf, certificate) or _age_flaw(certificate, now, renew_before)


def certifies(content: bytes | None, key: ec.EllipticCurvePrivateKey | None) -> bool:
    """Whether a file holds a certificate over a key; a file that cannot be read holds none over another key either."""
    certificate = read_certificate(content)
    return certificate is None or (key is not None and certificate.public_key() == key.public_key())


def public_key_belongs(content: bytes | None, key: ec.EllipticCurvePrivateKey) -> bool:
    """Whether a file holds the public half of a key."""
    try:
        return load_pem_public_key(content or b"") == key.public_key()
    except ValueError:
        return False


def _content_flaw(leaf: Leaf, certificate: x509.Certificate) -> str | None:
    if certificate.subject != _subject(leaf.common_name, leaf.organizations):
        return "has another subject"
    if _extension(certificate, x509.SubjectAlternativeName) != {_general_name(name) for name in leaf.names}:
        return "has other names"
    if _extension(certificate, x509.ExtendedKeyUsage) != _usages(leaf.usages):
        return "has other usages"
    return None


def _age_flaw(certificate: x509.Certificate, now: datetime, renew_before: timedelta) -> str | None:
    if certificate.not_valid_before_utc > now:
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if certificate.not_valid_after_utc <= now + renew_before:
        return f"ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
    return None


def _unreadable(content: bytes | None) -> str:
    return "is missing" if content is None else "cannot be read"


def _signed_by(certificate: x509.Certificate, issuer: Signer) -> bool:
    algorithm = certificate.signature_hash_algorithm
    if certificate.issuer != issuer.subject or algorithm is None:
        return False
    try:
        issuer.key.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type) -> set[object]:
    try:
        return set(certificate.extensions.get_extension_for_class(kind).value)
    except x509.ExtensionNotFound:
        return set()


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: Signer, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(common_name: str, organizations: Iterable[str] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usages(usages: Iterable[str]) -> set[x509.ObjectIdentifier]:
    known = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
    return {known[usage] for usage in usages}


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
