"""Getting a certificate from the cluster by a CertificateSigningRequest.

`obtain` creates a request and waits for its certificate; it changes nothing else. Names are those of Krustlet
1.0.0-alpha.1 (`krustlet-wasi`, `krustlet-wasi-tls`). Where the name is taken by a request with another key (Krustlet
would use that request's certificate with its own key, which fits nothing), a suffix from our key's digest is added.
"""

import base64
import binascii
import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.resources.certificates_v1 import CertificateSigningRequest

from edgelab.core.errors import LabError
from edgelab.kube.client import is_conflict, until_answered
from edgelab.kube.follow import follow


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a certificate is for: the request's name, its signer, and the use of the key beside signing."""

    name: str
    signer: str
    usage: str
    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def usages(self) -> list[str]:
        """Exactly the usages that the signers of kube-controller-manager accept."""
        return ["digital signature", "key encipherment", self.usage]


def client_purpose(node: str) -> Purpose:
    """The identity of a node at the API server."""
    return Purpose(node, "kubernetes.io/kube-apiserver-client-kubelet", "client auth")


def serving_purpose(node: str, address: str) -> Purpose:
    """The identity of a node's HTTPS server."""
    return Purpose(f"{node}-tls", "kubernetes.io/kubelet-serving", "server auth", (node,), (address,))


def build(purpose: Purpose, node: str, key: EllipticCurvePrivateKey) -> bytes:
    """The PKCS #10 request as PEM: organisation `system:nodes`, common name `system:node:NODE`."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}"),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in purpose.dns]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in purpose.addresses]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def fingerprint(public_key: Any) -> str:
    """Eight hexadecimal digits that stand for a public key."""
    encoded = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).hexdigest()[:8]


def is_ours(body: Mapping[str, Any], purpose: Purpose, key: EllipticCurvePrivateKey) -> bool:
    """An existing request asks for this purpose's certificate for this key."""
    spec = body.get("spec") or {}
    try:
        found = x509.load_pem_x509_csr(base64.b64decode(spec.get("request", "")))
    except (ValueError, binascii.Error):
        return False
    return spec.get("signerName") == purpose.signer and fingerprint(found.public_key()) == fingerprint(key.public_key())


def certificate_in(body: Mapping[str, Any]) -> bytes | None:
    """The certificate of a request as PEM, None while there is none; raises LabError when there never will be."""
    status = body.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] in ("Denied", "Failed"):
            raise LabError(
                attempted=f"Get the certificate of CertificateSigningRequest {body['metadata']['name']}",
                seen=f"It was {condition['type'].lower()}: {condition.get('message') or condition.get('reason') or ''}",
                remedy="Delete that request once its cause is removed; the node then asks again",
            )
    encoded = status.get("certificate")
    return base64.b64decode(encoded) if encoded else None


async def obtain(client: AsyncClient, purpose: Purpose, node: str, key: EllipticCurvePrivateKey) -> bytes:
    """A certificate for the key as PEM; waits for its approval as long as that takes.

    Raises LabError when the request is denied, fails or is deleted, and ApiError when it may not be made.
    """
    name = await _post(client, purpose, node, key)
    async for event in follow(client, CertificateSigningRequest, selectors={"fields": {"metadata.name": name}}):
        if event.type == "deleted":
            break
        if event.object and (certificate := certificate_in(event.object.to_dict())):
            return certificate
    raise LabError(attempted=f"Get the certificate of CertificateSigningRequest {name}", seen="It was deleted")


async def _post(client: AsyncClient, purpose: Purpose, node: str, key: EllipticCurvePrivateKey) -> str:
    for name in (purpose.name, f"{purpose.name}-{fingerprint(key.public_key())}"):
        body = CertificateSigningRequest.from_dict(_body(name, purpose, build(purpose, node, key)))
        try:
            await until_answered(lambda body=body: client.create(body))  # type: ignore[misc]
        except ApiError as error:
            if not is_conflict(error):
                raise
            found = await until_answered(lambda name=name: client.get(CertificateSigningRequest, name))  # type: ignore[misc]
            if not is_ours(found.to_dict(), purpose, key):
                continue
        return name
    raise AssertionError("two different keys have the same digest")


def _body(name: str, purpose: Purpose, request: bytes) -> dict[str, Any]:
    spec = {"request": base64.b64encode(request).decode(), "signerName": purpose.signer, "usages": purpose.usages}
    return {"metadata": {"name": name}, "spec": spec}
