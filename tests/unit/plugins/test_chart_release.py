"""What has to be done about a release, for each state in which it may be found."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._chart_release import Found, Helm, Wanted, difference, plan

ARCHIVE = b"a chart"
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()
VALUES = {"agent": {"enabled": True}, "global": {"theirs": 1}}


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    archive = tmp_path / "chart.tgz"
    archive.write_bytes(ARCHIVE)
    return Wanted("akri", "akri", str(archive), VALUES, wait=True, seconds=30)


def found(status: str = "deployed", digest: str = DIGEST) -> Found:
    return Found(status, {"agent": {"enabled": True}, "global": {"theirs": 1, "chartSha256": digest}}, "")


def states(steps: list[dict[str, Any]]) -> list[str]:
    return [step.get("release_state", "present") for step in steps]


def test_a_new_release_is_installed_with_its_digest_and_without_kinds(wanted: Wanted) -> None:
    (step,) = plan(None, wanted)
    assert step["release_values"] == found().values
    assert step["skip_crds"]
    assert step["chart_ref"] == wanted.chart


def test_a_release_that_is_as_wanted_is_left_alone(wanted: Wanted) -> None:
    assert plan(found(), wanted) == []


def test_another_archive_of_the_same_version_is_a_change(wanted: Wanted) -> None:
    assert states(plan(found(digest="0" * 64), wanted)) == ["present"]


@pytest.mark.parametrize("status", ["failed", "pending-install", "pending-upgrade", "uninstalling"])
def test_what_was_left_half_done_is_made_anew(wanted: Wanted, status: str) -> None:
    assert states(plan(found(status), wanted)) == ["absent", "present"]


def test_a_release_that_is_not_wanted_goes(wanted: Wanted) -> None:
    unwanted = Wanted("akri", "akri", None, {}, wait=True, seconds=30)
    assert states(plan(found(), unwanted)) == ["absent"]
    assert plan(None, unwanted) == []


def test_the_difference_names_objects_and_hides_secrets() -> None:
    def secret(value: str) -> str:
        return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\ndata: {{key: {value}}}\n"

    same = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: same}\n"
    old = "apiVersion: v1\nkind: Service\nmetadata: {name: old}\n"
    shown = difference("---\n".join([secret("b2xk"), same, old]), "---\n".join([secret("bmV3"), same]))
    assert set(shown["before"]) == set(shown["after"]) == {"Secret key", "Service old"}
    assert "b2xk" not in str(shown)
    assert "bmV3" not in str(shown)
    assert shown["after"]["Service old"] is None


def test_the_adapter_takes_out_the_word_that_helm_4_refuses(tmp_path: Path) -> None:
    program = tmp_path / "a helm"
    program.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    program.chmod(0o755)
    Helm(str(program), "kubeconfig", None).adapt(tmp_path / "adapter")
    words = [str(tmp_path / "adapter"), "list", "--all", "--filter", "two words", ""]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout == "<list><--filter><two words><>"
