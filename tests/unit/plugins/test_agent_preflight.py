"""Where Akri's own agent may run, and what people are told where it may not."""

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._agent_preflight import Machine, check_program, refusal
from edgelab.core.errors import LabError

READY = Machine(uid=0, listeners=((42, "process 42 (edgelab node)"),), node=42, had_kubelet=False)


def told(machine: Machine, *, open_metrics: bool = True, dry_run: bool = False) -> str:
    return str(refusal(machine, metrics_port=8080, open_metrics=open_metrics, dry_run=dry_run) or "")


def test_beside_the_labs_own_node_it_may_run() -> None:
    assert told(READY) == ""


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (replace(READY, uid=1000), "This is user 1000, not root"),
        (replace(READY, listeners=((7, "process 7 (kubelet)"),)), "process 7 (kubelet) listens on /var/lib/kubelet"),
        (replace(READY, node=None), "process 42 (edgelab node) listens"),
        (replace(READY, had_kubelet=True), "kubelet_internal_checkpoint"),
    ],
)
def test_elsewhere_it_is_refused_with_another_way(machine: Machine, expected: str, dry_run: bool) -> None:
    message = told(machine, dry_run=dry_run)
    assert expected in message
    assert "akri_agent_implementation: embedded" in message


def test_open_metrics_have_to_be_allowed() -> None:
    message = told(READY, open_metrics=False)
    assert "everybody who reaches port 8080" in message
    assert "akri_agent_allow_open_metrics: true" in message


def test_a_node_with_its_device_plugins_elsewhere_is_told_unless_it_does_not_run_yet() -> None:
    away = replace(READY, listeners=())
    assert "krustlet_device_plugins_dir: /var/lib/kubelet/device-plugins" in told(away)
    assert told(away, dry_run=True) == ""


def test_a_program_has_to_be_one_for_this_machine(tmp_path: Path) -> None:
    program = tmp_path / "agent"
    with pytest.raises(LabError, match="not a file that can be executed"):
        check_program(program, "amd64")
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + (183).to_bytes(2, "little")
    program.write_bytes(header)
    with pytest.raises(LabError, match="not a file that can be executed"):
        check_program(program, "amd64")
    program.chmod(0o755)
    with pytest.raises(LabError, match="It is for arm64, this machine is amd64"):
        check_program(program, "amd64")
    check_program(program, "arm64")
    program.write_text("#!/bin/sh\n")
    check_program(program, "amd64")
