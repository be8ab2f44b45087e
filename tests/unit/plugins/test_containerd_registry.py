"""What containerd reads about a registry, and what has to be done for it to be there."""

import tomllib
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._containerd_registry import (
    Certificates,
    apply,
    hosts_toml,
    plan_absent,
    plan_present,
    result,
)
from edgelab.core.errors import LabError

REGISTRY = "10.89.0.1:5000"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path / "a.crt", tmp_path / "b.crt", tmp_path / "b.key")
    for path in made.files().values():
        path.write_text(f"content of {path.name}")
    return made


def test_hosts_toml_names_the_registry_and_relative_files() -> None:
    host = {"capabilities": ["pull", "resolve"], "ca": "ca.crt"}
    read = tomllib.loads(hosts_toml(REGISTRY, with_client=False))
    assert read == {"server": f"https://{REGISTRY}", "host": {f"https://{REGISTRY}": host}}
    read = tomllib.loads(hosts_toml(REGISTRY, with_client=True))
    assert read["host"][f"https://{REGISTRY}"] == {**host, "client": [["client.crt", "client.key"]]}


def test_absent_present_again_absent(tmp_path: Path, certificates: Certificates) -> None:
    directory = tmp_path / "certs.d"
    create_check = plan_present(directory, REGISTRY, certificates, dry_run=True)
    apply(plan_present(directory, REGISTRY, certificates, dry_run=False))
    again = plan_present(directory, REGISTRY, certificates, dry_run=False)
    written = {path.name: path for path in (directory / REGISTRY).iterdir()}
    remove = plan_absent(directory, REGISTRY)
    apply(remove)

    assert result(create_check)["changed"]
    assert not result(again)["changed"]
    assert set(written) == {"hosts.toml", "ca.crt", "client.crt", "client.key"}
    assert result(remove)["changed"]
    assert list(directory.iterdir()) == []
    assert not result(plan_absent(directory, REGISTRY))["changed"]


def test_the_key_is_for_its_owner_alone_and_told_nowhere(tmp_path: Path, certificates: Certificates) -> None:
    plan = plan_present(tmp_path / "certs.d", REGISTRY, certificates, dry_run=False)
    apply(plan)
    key = tmp_path / "certs.d" / REGISTRY / "client.key"
    assert key.read_text() == "content of b.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "content of" not in str(result(plan))

    key.chmod(0o644)
    opened = plan_present(tmp_path / "certs.d", REGISTRY, certificates, dry_run=False)
    assert list(opened.write) == ["client.key"]
    apply(opened)
    assert key.stat().st_mode & 0o777 == 0o600


def test_only_what_differs_is_written_and_what_is_foreign_goes(tmp_path: Path, certificates: Certificates) -> None:
    apply(plan_present(tmp_path, REGISTRY, certificates, dry_run=False))
    (tmp_path / REGISTRY / "ca.crt").write_text("another")
    (tmp_path / REGISTRY / "old.crt").touch()
    plan = plan_present(tmp_path, REGISTRY, certificates, dry_run=False)
    assert (set(plan.write), plan.remove) == ({"ca.crt"}, ("old.crt",))
    apply(plan)
    assert not plan_present(tmp_path, REGISTRY, certificates, dry_run=False).needed


def test_a_registry_that_no_longer_asks_its_clients(tmp_path: Path, certificates: Certificates) -> None:
    apply(plan_present(tmp_path, REGISTRY, certificates, dry_run=False))
    apply(plan_present(tmp_path, REGISTRY, Certificates(certificates.ca), dry_run=False))
    assert {path.name for path in (tmp_path / REGISTRY).iterdir()} == {"hosts.toml", "ca.crt"}


def test_a_certificate_that_is_not_there_yet(tmp_path: Path) -> None:
    missing = Certificates(tmp_path / "ca.crt")
    assert plan_present(tmp_path, REGISTRY, missing, dry_run=True).needed
    with pytest.raises(LabError, match=r"Make .*ca\.crt"):
        plan_present(tmp_path, REGISTRY, missing, dry_run=False)
