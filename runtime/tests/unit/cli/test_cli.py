"""The command line tells what it can do and refuses what it cannot."""

from pathlib import Path

import pytest
from edgelab.cli.main import main
from edgelab.core.errors import LabError
from edgelab.kube.client import connect


def test_help_names_every_process(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("agent", "controller", "node", "proxy", "hold"))


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nonsense"])
    assert ended.value.code == 2
    assert "invalid choice: 'nonsense'" in capsys.readouterr().err


def test_nobody_who_answers_is_not_ready(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["ready", str(tmp_path / "agent.sock")]) == 1
    assert "agent.sock" in capsys.readouterr().err


def test_without_a_kubeconfig_and_outside_of_a_pod_the_remedy_is_told() -> None:
    with pytest.raises(LabError, match="--kubeconfig"):
        connect(None)


def test_kubeconfig_of_a_lab_that_does_not_exist_names_the_next_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main(["kubeconfig", "--lab", "nowhere"]) == 1
    assert "make demo" in capsys.readouterr().err
