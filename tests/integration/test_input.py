"""Bad input: refused before anything is changed, with a message that names the next step."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
from labkit import BIN, ROOT, Lab, press_ctrl_c


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"lab_demo": "nonsense"}, "nonsense"),
        ({"lab_cluster": "nonsense"}, "nonsense"),
        ({"lab_demo": "video"}, "make demo PROVIDER=kind DEMO=video"),
        ({"lab_demo": "wasm_handler"}, "make demo PROVIDER=kind DEMO=wasm_handler"),
        ({"lab_nmae": "x"}, "lab_nmae"),
        ({"demo_wasm_debug_echo_capacity": "many"}, "demo_wasm_debug_echo_capacity"),
        ({"krustlet_max_pods": "many"}, "krustlet_max_pods"),
        ({"lab_name": "Not A Name"}, "Not A Name"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_variables_are_refused_before_anything_is_changed(
    empty_lab: Lab, variables: dict[str, str], message: str
) -> None:
    result = empty_lab.playbook("site.yml", check=False, **variables)
    assert result.status != 0
    assert message in result.output
    assert not empty_lab.layout.state.exists()


def test_a_directory_that_is_not_ours_is_left_alone(empty_lab: Lab) -> None:
    state = empty_lab.layout.state
    state.mkdir(parents=True)
    (state / "thesis.txt").write_text("years of work")
    for playbook in ("site.yml", "down.yml"):
        result = empty_lab.playbook(playbook, check=False)
        assert result.status != 0
        assert str(state) in result.output
    assert [path.name for path in state.iterdir()] == ["thesis.txt"]


def test_an_occupied_port_is_named_with_its_holder(empty_lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        result = empty_lab.playbook("up.yml", check=False, lab_forced_ports={"kube_apiserver": port})
    assert result.status != 0
    assert str(port) in result.output
    assert str(os.getpid()) in result.output


def test_a_second_playbook_on_the_same_lab_is_told_the_firsts_pid(lab: Lab) -> None:
    variables = json.dumps({"lab_name": lab.name})
    command = [str(BIN / "ansible-playbook"), "site.yml", "-e", variables]
    with subprocess.Popen(command, cwd=ROOT, env=lab.environment, stdout=subprocess.DEVNULL) as first:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and str(first.pid) not in _text(lab.layout.lock):
            time.sleep(0.05)
        second = lab.playbook("site.yml", check=False)
        assert second.status != 0
        assert str(first.pid) in second.output
        assert first.wait(120) == 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_an_interrupted_run_can_be_run_again(empty_lab: Lab) -> None:
    variables = json.dumps({"lab_name": empty_lab.name})
    # Whoever started these tests may ignore SIGINT, as a shell does for what it runs in the background.
    command = ["env", "--default-signal=INT", str(BIN / "ansible-playbook"), "site.yml", "-e", variables]
    with subprocess.Popen(
        command, cwd=ROOT, env=empty_lab.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as first:
        assert first.stdout
        next(line for line in first.stdout if "Run the control plane" in line)
        assert press_ctrl_c(first) != 0
    empty_lab.playbook("site.yml")
    assert empty_lab.playbook("site.yml").recap()["changed"] == 0
