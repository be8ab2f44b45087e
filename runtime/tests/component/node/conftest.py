"""What tests of the node with real TLS share."""

import datetime
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Ca:
    """A certificate authority in a directory."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._name = directory, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = directory / f"{name}.crt"
        self.path.write_bytes(self._sign(name, "", self._key, ca=True).public_bytes(Encoding.PEM))

    def issue(self, name: str, group: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._directory / f"{self._name}-{name}.pem"
        path.write_bytes(pem + self._sign(name, group, key, ca=False).public_bytes(Encoding.PEM))
        return path

    def _sign(self, name: str, group: str, key: Any, *, ca: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        builder = x509.CertificateBuilder(
            issuer_name=issuer,
            subject_name=x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(hours=1),
            not_valid_after=now + datetime.timedelta(hours=1),
        )
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        return builder.add_extension(address, critical=False).sign(self._key, hashes.SHA256())


@pytest.fixture
def make_ca(tmp_path: Path) -> Callable[[str], Ca]:
    """Makes certificate authorities by name."""
    return lambda name: Ca(tmp_path, name)
