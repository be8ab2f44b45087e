"""When the kubeconfig of a ServiceAccount is good, and when it is written again."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._kubeconfig import (
    Found,
    Wanted,
    lifetime,
    remove,
    render,
    token_of,
    why_renew,
)
from hypothesis import given
from hypothesis import strategies as st

WANTED = Wanted(Path("/nowhere"), "akri", "akri-controller", 3600)
SERVER, CA = "https://127.0.0.1:1", b"ca"


def token(issued: float = 0, expires: float = 900) -> str:
    claims = json.dumps({"iat": issued, "exp": expires}).encode()
    return "head." + base64.urlsafe_b64encode(claims).decode().rstrip("=") + ".signature"


GOOD = Found(render(WANTED, SERVER, CA, token()), 0o600, token_accepted=True, token_uid="uid")


def why(found: Found | None, *, server: str = SERVER, uid: str = "uid", now: float = 0) -> str:
    expected = render(WANTED, server, CA, token_of(found.document) if found else "")
    return why_renew(found, expected, uid, now)


def test_a_good_file_is_left_alone_until_a_third_of_its_time_is_left() -> None:
    assert why(GOOD) == ""
    assert why(GOOD, now=599) == ""
    assert "third" in why(GOOD, now=601)
    assert "third" in why(GOOD, now=2000)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "not there"),
        (replace(GOOD, document=None), "differs"),
        (replace(GOOD, document={"users": []}), "differs"),
        (replace(GOOD, document=render(WANTED, "https://127.0.0.1:2", CA, token())), "differs"),
        (replace(GOOD, document=render(WANTED, SERVER, b"another", token())), "differs"),
        (replace(GOOD, token_accepted=False), "not accept"),
        (replace(GOOD, token_uid="another"), "another ServiceAccount"),
        (replace(GOOD, mode=0o644), "0644"),
    ],
)
def test_why_a_file_is_written_again(found: Found | None, reason: str) -> None:
    assert reason in why(found)


def test_the_file_is_self_contained() -> None:
    document = render(WANTED, SERVER, CA, "t")
    assert document["clusters"][0]["cluster"] == {
        "server": SERVER,
        "certificate-authority-data": base64.b64encode(CA).decode(),
    }
    assert document["contexts"][0]["context"]["namespace"] == "akri"
    assert token_of(document) == "t"


@given(st.integers(0, 2**33), st.integers(0, 2**33))
def test_a_tokens_times_are_read(issued: int, expires: int) -> None:
    assert lifetime(token(issued, expires)) == (issued, expires)


@given(st.text())
def test_what_is_no_token_has_no_time(text: str) -> None:
    assert lifetime(text) == (0.0, 0.0)
    assert token_of(text) == ""


def test_removing_twice_changes_once(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("secret")
    assert remove(path, dry_run=True)["changed"]
    assert path.exists()
    first = remove(path, dry_run=False)
    assert first["changed"]
    assert "secret" not in str(first)
    assert not path.exists()
    assert not remove(path, dry_run=False)["changed"]
