"""Certificates of the node: what is asked for, whose request it is, when it is renewed."""

import base64
import datetime
import ipaddress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.node import identity
from edgelab.node.csr import build, certificate_in, client_purpose, is_ours, serving_purpose
from edgelab.node.identity import Identity, fits, kubeconfig
from edgelab.node.identity_store import CertificateStore, is_valid, renewal_time
from lightkube.core.exceptions import ApiError

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
CLIENT, SERVING = client_purpose("krustlet-wasi"), serving_purpose("krustlet-wasi", "127.0.0.1")


def certificate(
    key: ec.EllipticCurvePrivateKey,
    *,
    start: datetime.datetime = NOW - DAY,
    end: datetime.datetime = NOW + DAY,
    address: str = "",
    serial: int = 1,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "system:node:krustlet-wasi")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(serial).not_valid_before(start).not_valid_after(end)
    if address:
        names = [x509.DNSName("krustlet-wasi"), x509.IPAddress(ipaddress.ip_address(address))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256())


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def existing(request: bytes, signer: str) -> dict[str, Any]:
    return {"spec": {"request": base64.b64encode(request).decode(), "signerName": signer}}


def test_requests_are_those_of_the_recorded_node() -> None:
    assert (CLIENT.name, CLIENT.signer) == ("krustlet-wasi", "kubernetes.io/kube-apiserver-client-kubelet")
    assert CLIENT.usages == ["digital signature", "key encipherment", "client auth"]
    assert (SERVING.name, SERVING.signer) == ("krustlet-wasi-tls", "kubernetes.io/kubelet-serving")
    assert SERVING.usages == ["digital signature", "key encipherment", "server auth"]


def test_the_serving_request_names_node_and_address_and_nothing_else() -> None:
    request = x509.load_pem_x509_csr(build(SERVING, "krustlet-wasi", new_key()))
    assert request.subject.rfc4514_string() == "CN=system:node:krustlet-wasi,O=system:nodes"
    (extension,) = request.extensions
    assert isinstance(extension.value, x509.SubjectAlternativeName)
    assert extension.value.get_values_for_type(x509.DNSName) == ["krustlet-wasi"]
    assert extension.value.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]


def test_the_client_request_has_no_extension() -> None:
    assert not list(x509.load_pem_x509_csr(build(CLIENT, "krustlet-wasi", new_key())).extensions)


def test_a_request_is_ours_only_with_our_key_and_signer() -> None:
    key = new_key()
    ours = build(CLIENT, "krustlet-wasi", key)
    assert is_ours(existing(ours, CLIENT.signer), CLIENT, key)
    assert not is_ours(existing(ours, SERVING.signer), CLIENT, key)
    assert not is_ours(existing(ours, CLIENT.signer), CLIENT, new_key())
    assert not is_ours(existing(b"no request", CLIENT.signer), CLIENT, key)


@pytest.mark.parametrize("verdict", ["Denied", "Failed"])
def test_a_refused_request_is_an_error_with_its_reason(verdict: str) -> None:
    body = {"metadata": {"name": "n"}, "status": {"conditions": [{"type": verdict, "message": "wrong usages"}]}}
    with pytest.raises(LabError, match=rf"{verdict.lower()}: wrong usages"):
        certificate_in(body)


def test_an_approved_request_without_certificate_is_pending() -> None:
    approved = {"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Approved"}]}}
    assert certificate_in(approved) is None
    assert certificate_in({"metadata": {"name": "n"}}) is None
    assert certificate_in({"status": {"certificate": base64.b64encode(b"PEM").decode()}}) == b"PEM"


def test_renewal_falls_between_70_and_80_percent_of_life_and_does_not_move() -> None:
    key = new_key()
    for serial in (1, 999, 123_456_789):
        made = certificate(key, start=NOW, end=NOW + 10 * DAY, serial=serial)
        assert NOW + 7 * DAY <= renewal_time(made) < NOW + 8 * DAY
        assert renewal_time(made) == renewal_time(made)


def test_validity_ends_with_the_certificate_and_begins_with_it() -> None:
    made = certificate(new_key())
    assert is_valid(made, NOW)
    assert not is_valid(made, NOW + DAY)
    assert not is_valid(made, NOW - 2 * DAY)
    assert not is_valid(None, NOW)


def test_a_serving_certificate_for_another_address_does_not_fit() -> None:
    key = new_key()
    assert fits(certificate(key, address="127.0.0.1"), SERVING, NOW)
    assert not fits(certificate(key, address="127.0.0.2"), SERVING, NOW)
    assert not fits(certificate(key), SERVING, NOW)
    assert not fits(certificate(key, address="127.0.0.1"), SERVING, NOW + 2 * DAY)
    assert fits(certificate(key), CLIENT, NOW)


def test_the_store_keeps_a_pending_key_over_restarts_and_replaces_the_pair_together(tmp_path: Path) -> None:
    store = CertificateStore(tmp_path, "client")
    assert store.certificate() is None
    key = store.pending_key()
    again = CertificateStore(tmp_path, "client").pending_key()
    assert again.private_numbers() == key.private_numbers()
    store.put(certificate(key).public_bytes(Encoding.PEM))
    assert [path.name for path in tmp_path.iterdir()] == ["client.pem"]
    assert store.path.stat().st_mode & 0o777 == 0o600
    found = store.certificate()
    assert found
    assert found.public_key() == key.public_key()


def test_the_store_tells_whether_it_waits_for_a_certificate(tmp_path: Path) -> None:
    store = CertificateStore(tmp_path, "serving")
    assert store.status() == {"state": "pending", "not_after": ""}
    issued = certificate(store.pending_key())
    store.put(issued.public_bytes(Encoding.PEM))
    assert store.status() == {"state": "issued", "not_after": issued.not_valid_after_utc.isoformat()}
    store.pending_key()
    assert store.status()["state"] == "pending"


def test_a_certificate_for_another_key_is_none(tmp_path: Path) -> None:
    store = CertificateStore(tmp_path, "client")
    store.put(certificate(new_key()).public_bytes(Encoding.PEM))
    assert store.certificate() is None
    store.path.write_text("half a fi")
    assert store.certificate() is None


async def test_without_certificate_and_without_bootstrap_file_the_error_names_the_file(tmp_path: Path) -> None:
    wanted = Identity("krustlet-wasi", tmp_path, tmp_path / "bootstrap.conf", tmp_path / "kubeconfig")
    with pytest.raises(LabError, match=r"bootstrap\.conf"):
        await wanted.establish()
    assert not wanted.kubeconfig.exists()


def test_the_kubeconfig_takes_key_and_certificate_from_one_file() -> None:
    config = kubeconfig({"server": "https://127.0.0.1:6443"}, Path("/s/client.pem"))
    assert config["users"][0]["user"] == {"client-certificate": "/s/client.pem", "client-key": "/s/client.pem"}
    assert config["clusters"][0]["cluster"] == {"server": "https://127.0.0.1:6443"}


def refusal(code: int) -> ApiError:
    request = httpx2.Request("POST", "https://127.0.0.1:6443/")
    return ApiError(request, httpx2.Response(code, json={"code": code, "message": "said"}, request=request))


async def test_a_certificate_is_used_once_renewed_and_given_up_when_the_identity_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    store = CertificateStore(tmp_path, "client")

    def issue(serial: int) -> None:
        made = certificate(store.pending_key(), start=now - DAY, end=now + DAY / 100, serial=serial)
        store.put(made.public_bytes(Encoding.PEM))

    outcomes: list[Any] = [httpx2.ConnectError("refused"), LabError("Get it", "It was denied"), 2, refusal(401)]
    used: list[int] = []

    async def request(*_: object) -> None:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        issue(outcome)

    async def use() -> None:
        found = store.certificate()
        assert found
        used.append(found.serial_number)

    monkeypatch.setattr(identity, "request", request)
    monkeypatch.setattr(identity, "_RETRY", Backoff(0.0, 0.0))
    issue(1)
    with pytest.raises(LabError, match="refuses the node's identity"):
        await identity.keep(None, CLIENT, "krustlet-wasi", store, use)  # type: ignore[arg-type]
    assert used == [1, 2]
    assert not outcomes


async def test_a_certificate_that_is_in_use_already_is_not_taken_into_use_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    store = CertificateStore(tmp_path, "client")
    store.put(certificate(store.pending_key(), start=now - DAY, end=now + DAY / 100).public_bytes(Encoding.PEM))

    async def request(*_: object) -> None:
        raise refusal(401)

    async def use() -> None:
        pytest.fail("taken into use again")

    monkeypatch.setattr(identity, "request", request)
    with pytest.raises(LabError):
        await identity.keep(None, CLIENT, "krustlet-wasi", store, use, used=store.certificate())  # type: ignore[arg-type]
