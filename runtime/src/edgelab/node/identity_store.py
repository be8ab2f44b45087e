"""A certificate and its key in one file, replaced together; and the key of a request that is still under way."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from edgelab.node.csr import fingerprint
from edgelab.service.files import write_whole


@dataclass(frozen=True, slots=True)
class CertificateStore:
    """`NAME.pem` in a directory (key, then certificate; as a kubelet's `kubelet-client-current.pem`) and `NAME.key`."""

    directory: Path
    name: str

    @property
    def path(self) -> Path:
        """Certificate and key; 0600."""
        return self.directory / f"{self.name}.pem"

    @property
    def _pending(self) -> Path:
        return self.directory / f"{self.name}.key"

    def certificate(self) -> x509.Certificate | None:
        """The certificate in the store; None when there is none that fits its key."""
        try:
            content = self.path.read_bytes()
            certificate = x509.load_pem_x509_certificate(content)
            key = load_pem_private_key(content, password=None)
        except (OSError, ValueError):
            return None
        if fingerprint(key.public_key()) != fingerprint(certificate.public_key()):
            return None
        return certificate

    def status(self) -> dict[str, str]:
        """For the status socket: `state` is `pending` while a request is under way or there is no certificate yet."""
        certificate = self.certificate()
        if certificate is None:
            return {"state": "pending", "not_after": ""}
        state = "pending" if self._pending.exists() else "issued"
        return {"state": state, "not_after": certificate.not_valid_after_utc.isoformat()}

    def pending_key(self) -> ec.EllipticCurvePrivateKey:
        """The key of the request under way; a new one, kept over restarts, when there is no such request."""
        try:
            key = load_pem_private_key(self._pending.read_bytes(), password=None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
        except (OSError, ValueError):
            key = ec.generate_private_key(ec.SECP256R1())
            write_whole(self._pending, _encoded(key))
        return key

    def put(self, certificate: bytes) -> None:
        """Take a certificate (PEM) for the pending key into use."""
        write_whole(self.path, _encoded(self.pending_key()) + certificate)
        self.forget_pending()

    def forget_pending(self) -> None:
        """Give up the request under way: the next one gets a new key."""
        self._pending.unlink(missing_ok=True)


def _encoded(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def renewal_time(certificate: x509.Certificate) -> datetime.datetime:
    """When to renew: at 70 to 80 % of the certificate's life, spread by its serial number as kubelets spread at random.

    Depends on nothing but the certificate, so that a restart does not move it.
    """
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_before_utc + life * (0.7 + certificate.serial_number % 1000 / 10_000)


def is_valid(certificate: x509.Certificate | None, now: datetime.datetime) -> bool:
    """There is a certificate and it has not expired (one from the future, after a clock step, is no good either)."""
    return certificate is not None and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
