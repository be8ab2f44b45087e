"""A set of certificates: each reason to make one anew, what is left alone, and what cannot be repaired."""

import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _certificates as subject
from ansible_collections.edgelab.akri.plugins.module_utils import _files
from edgelab.core.errors import LabError

NOW = datetime(2026, 5, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
LEAVES = ["server", "admin", "other"]


def params(directory: Path) -> dict[str, Any]:
    def leaf(name: str, **values: Any) -> dict[str, Any]:
        return {"name": name, "common_name": name, "organizations": [], "names": [], "days": 365, **values}

    return {
        "directory": str(directory / "pki"),
        "authorities": [{"name": name, "common_name": name, "days": 3650} for name in ("ca", "other-ca")],
        "leaves": [
            leaf("server", names=["localhost", "127.0.0.1"], usages=["server"]),
            leaf("admin", organizations=["system:masters"], usages=["client"]),
            leaf("other", usages=["client"], authority="other-ca"),
        ],
        "key_pairs": ["tokens"],
        "kubeconfigs": [
            {
                "path": str(directory / "kubeconfig"),
                "server": "https://127.0.0.1:1",
                "certificate": "admin",
                "authority": "ca",
                "cluster": "test",
            }
        ],
        "renew_before": 60,
    }


def run(given: dict[str, Any], now: datetime = NOW) -> dict[str, str]:
    made = subject.plan(subject.Wanted.from_params(given), now)
    subject.apply(made)
    return dict(made.reasons)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    values = params(tmp_path)
    run(values)
    return values


def test_everything_is_made_once(tmp_path: Path) -> None:
    values = params(tmp_path)
    missing = dict.fromkeys(["ca", "other-ca", "server", "admin", "other", "tokens", "kubeconfig"], "is missing")
    assert run(values) == missing
    assert run(values) == {}


def test_secrets_are_the_owners_alone(given: dict[str, Any], tmp_path: Path) -> None:
    secrets = [*(tmp_path / "pki").glob("*.key"), tmp_path / "kubeconfig"]
    assert len(secrets) == 7
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700


def test_a_tls_stack_accepts_the_set(given: dict[str, Any], tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    run(given, datetime.now(UTC))
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=pki / "ca.crt")
    server.load_cert_chain(pki / "server.crt", pki / "server.key")
    server.load_verify_locations(pki / "ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    client.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    assert handshake(server, client, "127.0.0.1") == (
        (("organizationName", "system:masters"),),
        (("commonName", "admin"),),
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client, "example.org")


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> Any:
    """A handshake in memory; returns the subject that the server saw."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _round in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = ours.getpeercert()
    assert certificate
    return certificate["subject"]


def test_kubeconfig_holds_the_certificates(given: dict[str, Any], tmp_path: Path) -> None:
    document = json.loads((tmp_path / "kubeconfig").read_text())
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert set(document["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


Damage = Callable[[Path], object]

DAMAGES: dict[str, tuple[Damage, dict[str, str]]] = {
    "certificate gone": (lambda pki: (pki / "server.crt").unlink(), {"server": "is missing"}),
    "certificate damaged": (lambda pki: (pki / "server.crt").write_text("x"), {"server": "cannot be read"}),
    "key gone": (lambda pki: (pki / "server.key").unlink(), {"server": "has a key that is missing"}),
    "key damaged": (lambda pki: (pki / "server.key").write_text("x"), {"server": "has a key that cannot be read"}),
    "key of another": (
        lambda pki: (pki / "server.key").write_bytes((pki / "admin.key").read_bytes()),
        {"server": "has a key of another certificate"},
    ),
    "token key gone": (lambda pki: (pki / "tokens.key").unlink(), {"tokens": "is missing"}),
    "token key damaged": (lambda pki: (pki / "tokens.key").write_text(""), {"tokens": "cannot be read"}),
    "public half gone": (
        lambda pki: (pki / "tokens.pub").unlink(),
        {"tokens": "has no public half, or another's"},
    ),
    "kubeconfig gone": (lambda pki: (pki.parent / "kubeconfig").unlink(), {"kubeconfig": "is missing"}),
    "kubeconfig edited": (lambda pki: (pki.parent / "kubeconfig").write_text("{}"), {"kubeconfig": "differs"}),
    "key readable": (lambda pki: (pki / "admin.key").chmod(0o644), {"admin.key": "could be read by others"}),
    "leaf in a kubeconfig": (
        lambda pki: (pki / "admin.crt").unlink(),
        {"admin": "is missing", "kubeconfig": "differs"},
    ),
    "authority's certificate gone": (
        lambda pki: (pki / "ca.crt").unlink(),
        {"ca": "is missing", "kubeconfig": "differs"},
    ),
    "authority gone": (
        lambda pki: [(pki / name).unlink() for name in ("ca.crt", "ca.key")],
        {
            "ca": "is missing",
            "server": "was signed by another authority",
            "admin": "was signed by another authority",
            "kubeconfig": "differs",
        },
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_damage_is_repaired_and_nothing_else_is_touched(given: dict[str, Any], tmp_path: Path, case: str) -> None:
    damage, reasons = DAMAGES[case]
    damage(tmp_path / "pki")
    assert run(given) == reasons
    assert run(given) == {}


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "names": ({"names": ["localhost"]}, "has other names"),
    "common name": ({"common_name": "other"}, "has another subject"),
    "organizations": ({"organizations": ["x"]}, "has another subject"),
    "usages": ({"usages": ["server", "client"]}, "has other usages"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_leaf_that_is_wanted_differently_is_issued_anew(given: dict[str, Any], case: str) -> None:
    change, reason = CHANGES[case]
    given["leaves"][0] |= change
    assert run(given) == {"server": reason}
    assert run(given) == {}


@pytest.mark.parametrize(
    ("later", "renewed"),
    [
        (YEAR - timedelta(days=61), []),
        (YEAR - timedelta(days=60), [*LEAVES, "kubeconfig"]),
        (YEAR * 2, [*LEAVES, "kubeconfig"]),
        (YEAR * 10 - timedelta(days=59), ["ca", "other-ca", *LEAVES, "kubeconfig"]),
        (-timedelta(hours=1), ["ca", "other-ca", *LEAVES, "kubeconfig"]),
    ],
)
def test_age(given: dict[str, Any], later: timedelta, renewed: list[str]) -> None:
    assert list(run(given, NOW + later)) == renewed
    assert run(given, NOW + later) == {}


def test_a_renewed_authority_keeps_its_key(given: dict[str, Any], tmp_path: Path) -> None:
    key = (tmp_path / "pki/ca.key").read_bytes()
    run(given, NOW + YEAR * 10)
    assert (tmp_path / "pki/ca.key").read_bytes() == key


@pytest.mark.parametrize(
    "damage",
    [
        lambda key: key.unlink(),
        lambda key: key.write_text("x"),
        lambda key: key.write_bytes((key.parent / "admin.key").read_bytes()),
    ],
    ids=["missing", "damaged", "another's"],
)
def test_a_lost_authority_key_is_an_error_and_changes_nothing(
    given: dict[str, Any], tmp_path: Path, damage: Damage
) -> None:
    damage(tmp_path / "pki/ca.key")
    before = {path: path.read_bytes() for path in (tmp_path / "pki").iterdir()}
    with pytest.raises(LabError, match=r"ca\.key is missing, damaged or another's.*remove .*ca\.crt"):
        run(given)
    assert {path: path.read_bytes() for path in (tmp_path / "pki").iterdir()} == before


def test_a_life_shorter_than_its_renewal_is_refused(tmp_path: Path) -> None:
    values = params(tmp_path)
    values["leaves"][0]["days"] = 30
    with pytest.raises(LabError, match="30 days, so that each run would make it anew"):
        run(values)


def test_neither_result_nor_plan_tells_a_key(tmp_path: Path) -> None:
    made = subject.plan(subject.Wanted.from_params(params(tmp_path)), NOW)
    assert "PRIVATE" not in json.dumps(subject.result(made))
    assert not list(tmp_path.iterdir()), "planning writes nothing"


def test_a_full_disk_leaves_a_state_that_the_next_run_repairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = params(tmp_path)
    written: list[Path] = []

    def full(path: Path, text: str, mode: int) -> None:
        if len(written) == 3:
            raise _files.cannot_write(path, OSError(28, "No space left on device"))
        written.append(path)
        _files.write_whole(path, text, mode)

    with monkeypatch.context() as patch:
        patch.setattr(subject, "write_whole", full)
        with pytest.raises(LabError, match="No space left on device"):
            run(values)
    assert len(written) == 3
    assert run(values)
    assert run(values) == {}
