"""A token is shown to a person at a terminal, and to nobody else."""

import base64
import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from labkit import BIN, ROOT

TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def show(kubeconfig: Path, log: Path, terminal: int | None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Ask for a token by Ansible, whose output goes to a terminal or, without one, to a pipe."""
    options = f"kubeconfig={kubeconfig} namespace=default service_account=default seconds=600"
    plain = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        [str(BIN / "ansible"), "localhost", "-m", "edgelab.akri.dashboard_token", "-a", options],
        cwd=ROOT,
        env={**plain, "ANSIBLE_LOG_PATH": str(log), "ANSIBLE_NOCOLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if terminal is None else terminal,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_a_person_sees_it_and_no_log_does(kubeconfig: Path, tmp_path: Path) -> None:
    """It is a token of that ServiceAccount, and lasts as long as was asked for."""
    reader, writer = pty.openpty()
    assert show(kubeconfig, tmp_path / "log", writer).returncode == 0
    found = TOKEN.findall(os.read(reader, 65536).decode())
    assert len(found) == 1
    payload = found[0].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == "system:serviceaccount:default:default"
    assert claims["exp"] - claims["iat"] == 600
    assert "localhost | SUCCESS" in (tmp_path / "log").read_text()
    assert not TOKEN.search((tmp_path / "log").read_text())


@pytest.mark.parametrize("ci", [True, False])
def test_nobody_is_shown_none(kubeconfig: Path, tmp_path: Path, ci: bool) -> None:
    """In CI, even with a terminal, and without a terminal; the remedy is the command that does it by hand."""
    reader, writer = pty.openpty()
    done = show(kubeconfig, tmp_path / "log", writer, CI="true") if ci else show(kubeconfig, tmp_path / "log", None)
    said = os.read(reader, 65536).decode() if ci else done.stdout
    assert done.returncode != 0
    assert f"kubectl --kubeconfig {kubeconfig} --namespace default create token default" in " ".join(said.split())
    assert not TOKEN.search(said)
