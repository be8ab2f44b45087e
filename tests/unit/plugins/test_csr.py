"""Which certificate signing request may be approved, and which may not."""

import base64
import ipaddress
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _csr, _csr_content
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

WANTED = {
    "signer": "kubernetes.io/kubelet-serving",
    "username": "system:node:krustlet-wasi",
    "common_name": "system:node:krustlet-wasi",
    "organizations": ["system:nodes"],
    "dns_names": ["krustlet-wasi"],
    "ip_addresses": ["127.0.0.1"],
    "usages": ["server auth", "digital signature"],
}


def pkcs10(
    common_name: str = "system:node:krustlet-wasi",
    organizations: tuple[str, ...] = ("system:nodes",),
    names: tuple[x509.GeneralName, ...] = (
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.DNSName("krustlet-wasi"),
    ),
    further: tuple[tuple[Any, str], ...] = (),
    constraints: x509.BasicConstraints | None = None,
) -> bytes:
    attributes = [(NameOID.COMMON_NAME, common_name), *((NameOID.ORGANIZATION_NAME, o) for o in organizations)]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in (*attributes, *further)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if constraints:
        builder = builder.add_extension(constraints, critical=True)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)


def request(
    name: str = "krustlet-wasi-tls",
    created: str = "2026-11-21T08:46:38Z",
    pem: bytes | None = None,
    conditions: tuple[str, ...] = (),
    certificate: str = "",
    **spec: Any,
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "creationTimestamp": created, "uid": name},
        "spec": {
            "request": base64.b64encode(pkcs10() if pem is None else pem).decode(),
            "signerName": "kubernetes.io/kubelet-serving",
            "username": "system:node:krustlet-wasi",
            "usages": ["digital signature", "server auth"],
            **spec,
        },
        "status": {"conditions": [{"type": kind} for kind in conditions], "certificate": certificate},
    }


def fields_that_deviate(found: dict[str, Any]) -> list[str]:
    return [item.field for item in _csr_content.deviations(_csr_content.wanted(WANTED), found)]


def with_foreign_signature() -> bytes:
    der = bytearray(x509.load_pem_x509_csr(pkcs10()).public_bytes(Encoding.DER))
    at = bytes(der).index(b"system:nodes")
    der[at : at + 6] = b"System"
    return (
        b"-----BEGIN CERTIFICATE REQUEST-----\n"
        + base64.encodebytes(bytes(der))
        + b"-----END CERTIFICATE REQUEST-----\n"
    )


def test_content_as_wanted_has_no_deviation_whatever_the_order() -> None:
    assert fields_that_deviate(request()) == []


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        (request(signerName="kubernetes.io/kube-apiserver-client"), ["signer"]),
        (request(username="system:node:other"), ["username"]),
        (request(usages=["digital signature", "server auth", "client auth"]), ["usages"]),
        (request(usages=["digital signature"]), ["usages"]),
        (request(pem=pkcs10(common_name="system:node:other")), ["common_name"]),
        (request(pem=pkcs10(organizations=("system:nodes", "system:masters"))), ["organizations"]),
        (request(pem=pkcs10(names=(x509.DNSName("krustlet-wasi"),))), ["ip_addresses"]),
        (request(pem=pkcs10(names=(x509.IPAddress(ipaddress.ip_address("127.0.0.1")),))), ["dns_names"]),
        (
            request(
                pem=pkcs10(
                    names=(
                        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                        x509.DNSName("krustlet-wasi"),
                        x509.RFC822Name("admin@example.org"),
                    )
                )
            ),
            ["others"],
        ),
        (request(pem=pkcs10(further=((NameOID.ORGANIZATIONAL_UNIT_NAME, "masters"),))), ["others"]),
        (request(pem=pkcs10(constraints=x509.BasicConstraints(ca=True, path_length=None))), ["others"]),
        (request(pem=b"no request"), ["request"]),
    ],
)
def test_each_deviation_is_named(found: dict[str, Any], fields: list[str]) -> None:
    assert fields_that_deviate(found) == fields


def test_a_request_signed_by_another_key_is_no_match() -> None:
    assert "others" in fields_that_deviate(request(pem=with_foreign_signature()))


def test_a_deviation_reads_as_a_sentence() -> None:
    deviation = _csr_content.deviations(_csr_content.wanted(WANTED), request(username="eve"))[0]
    assert str(deviation) == "username: wanted system:node:krustlet-wasi, found eve"


OLD = "2026-11-21T08:00:00Z"
NEW = "2026-11-21T09:00:00Z"
EVIL = pkcs10(organizations=("system:masters",))


@pytest.mark.parametrize(
    ("requests", "unsigned_only", "action", "name"),
    [
        ([], False, "wait", None),
        ([request("a")], False, "approve", "a"),
        ([request("a", OLD), request("b", NEW)], False, "approve", "b"),
        ([request("a", OLD), request("b", NEW, pem=EVIL)], False, "approve", "a"),
        ([request("a", pem=EVIL)], False, "refuse", "a"),
        ([request("a", conditions=("Approved",))], False, "done", "a"),
        ([request("a", conditions=("Approved",), pem=EVIL)], False, "refuse", "a"),
        ([request("a", OLD, conditions=("Approved",), certificate="x"), request("b", NEW)], False, "approve", "b"),
        ([request("a", conditions=("Approved",), certificate="x")], True, "wait", None),
        ([request("a", conditions=("Approved",))], True, "done", "a"),
        ([request("a", conditions=("Denied",))], False, "refuse", "a"),
        ([request("a", conditions=("Approved", "Failed"))], False, "refuse", "a"),
    ],
)
def test_decision(requests: list[dict[str, Any]], unsigned_only: bool, action: str, name: str | None) -> None:
    decision = _csr.decide(_csr_content.wanted(WANTED), requests, unsigned_only=unsigned_only)
    assert (decision.action, decision.request and decision.request["metadata"]["name"]) == (action, name)


def test_refusal_names_every_deviation_of_every_candidate() -> None:
    found = [request("a", OLD, username="eve"), request("b", NEW, pem=EVIL, usages=[])]
    reasons = _csr.decide(_csr_content.wanted(WANTED), found).reasons
    assert [reason.split(":")[0] for reason in reasons] == ["b organizations", "b usages", "a username"]


@pytest.mark.parametrize(
    ("name", "renewals", "meant"),
    [
        ("krustlet-wasi-tls", False, True),
        ("krustlet-wasi-tls", True, True),
        ("krustlet-wasi-tls-4f1c", True, True),
        ("krustlet-wasi-tls-4f1c", False, False),
        ("krustlet-wasi-tlsx", True, False),
    ],
)
def test_names(name: str, renewals: bool, meant: bool) -> None:
    assert _csr.Names("krustlet-wasi-tls", renewals).mean({"metadata": {"name": name}}) is meant


@pytest.mark.parametrize(
    ("username", "signer", "meant"),
    [
        ("system:node:edge", "kubernetes.io/kubelet-serving", True),
        ("system:node:other", "kubernetes.io/kubelet-serving", False),
        ("system:node:edge", "kubernetes.io/kube-apiserver-client-kubelet", False),
    ],
)
def test_without_a_name_requests_are_known_by_user_and_signer(username: str, signer: str, meant: bool) -> None:
    names = _csr.Names("", username="system:node:edge", signer="kubernetes.io/kubelet-serving")
    request = {"metadata": {"name": "csr-x7k2p"}, "spec": {"username": username, "signerName": signer}}
    assert names.mean(request) is meant


@pytest.mark.parametrize(
    ("status", "served"),
    [
        ({}, False),
        ({"serving_certificate": {"state": "pending", "not_after": NEW}}, False),
        ({"serving_certificate": {"state": "issued", "not_after": NEW}}, True),
    ],
)
def test_what_the_node_says(status: dict[str, Any], served: bool) -> None:
    assert _csr.is_served(status) is served
