"""When a node needs a bootstrap token, and what the token is good for."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from ansible_collections.edgelab.akri.plugins.module_utils import _bootstrap_kubeconfig as bootstrap
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NO_IDENTITY = "there is no identity"
KEY = ec.generate_private_key(ec.SECP256R1())


class Authority:
    """A certificate authority."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.pem = self.issue("ca", self.key, NOW + timedelta(days=3650))

    def issue(self, name: str, key: ec.EllipticCurvePrivateKey, ends: datetime) -> bytes:
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, "ca")]
        builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
        builder = builder.not_valid_before(NOW - timedelta(days=400)).not_valid_after(ends)
        certificate = builder.serial_number(x509.random_serial_number()).sign(self.key, hashes.SHA256())
        return certificate.public_bytes(Encoding.PEM)

    def kubeconfig(self, path: Path, ends: datetime = NOW + timedelta(days=1)) -> Path:
        return write_kubeconfig(path, self.issue("node", KEY, ends), KEY)


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_kubeconfig(path: Path, certificate: bytes, key: ec.EllipticCurvePrivateKey) -> Path:
    parts = {"client-certificate-data": certificate, "client-key-data": pem(key)}
    user = {name: base64.b64encode(content).decode() for name, content in parts.items()}
    path.write_text(yaml.safe_dump({"users": [{"user": user}]}))
    return path


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_a_valid_identity_has_no_fault(authority: Authority, tmp_path: Path) -> None:
    assert bootstrap.identity_fault(authority.kubeconfig(tmp_path / "node"), authority.pem, NOW) == ""


def test_the_certificate_may_be_a_file_beside_the_kubeconfig(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "node.pem").write_bytes(pem(KEY) + authority.issue("node", KEY, NOW + timedelta(days=1)))
    user = {"client-certificate": "node.pem", "client-key": "node.pem"}
    (tmp_path / "node").write_text(yaml.safe_dump({"users": [{"user": user}]}))
    assert bootstrap.identity_fault(tmp_path / "node", authority.pem, NOW) == ""


def test_each_fault_of_an_identity_is_named(authority: Authority, tmp_path: Path) -> None:
    expired = authority.kubeconfig(tmp_path / "expired", NOW - timedelta(seconds=1))
    foreign = Authority().kubeconfig(tmp_path / "foreign")
    damaged = tmp_path / "damaged"
    damaged.write_text("users: [")
    other = ec.generate_private_key(ec.SECP256R1())
    mixed = write_kubeconfig(tmp_path / "mixed", authority.issue("node", other, NOW + timedelta(days=1)), KEY)
    faults = [bootstrap.identity_fault(path, authority.pem, NOW) for path in (expired, foreign, damaged, mixed)]
    assert faults == [
        "the identity has expired",
        "the identity is of another authority",
        "the identity cannot be read",
        "the identity has a key of another certificate",
    ]
    assert bootstrap.identity_fault(tmp_path / "none", authority.pem, NOW) == "there is no identity"


def served(expires: datetime) -> dict[str, object]:
    body = bootstrap.secret_of("abcdef.0123456789abcdef", "test", expires)
    return {"data": {key: base64.b64encode(text.encode()).decode() for key, text in body["stringData"].items()}}


@pytest.mark.parametrize(
    ("identity", "file", "secret", "reason"),
    [
        ("", "there is no such file", None, ""),
        ("", "its mode is 0644", None, "its mode is 0644"),
        (NO_IDENTITY, "there is no such file", None, "there is no such file"),
        ("the identity has expired", "", served(NOW + timedelta(minutes=6)), "the identity has expired"),
        (NO_IDENTITY, "", None, "its token has expired"),
        (NO_IDENTITY, "", served(NOW + timedelta(minutes=4)), "its token is about to expire"),
        (NO_IDENTITY, "", served(NOW + timedelta(minutes=6)), ""),
    ],
)
def test_when_a_token_is_needed(identity: str, file: str, secret: dict[str, object] | None, reason: str) -> None:
    assert bootstrap.why_renew(identity, file, secret, NOW) == reason


def test_the_token_is_good_for_joining_only() -> None:
    body = bootstrap.secret_of("abcdef.0123456789abcdef", "test", NOW)
    usages = {key for key in body["stringData"] if key.startswith("usage-")}
    assert usages == {"usage-bootstrap-authentication"}
    assert body["metadata"]["name"] == "bootstrap-token-abcdef"
