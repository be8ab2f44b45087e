"""What the Wasm node says of modules that misbehave, and that it stays well itself."""

from collections.abc import Iterator
from pathlib import Path

import guests
import pytest
from labkit import ROOT, Lab, eventually


@pytest.fixture(autouse=True)
def no_pods_left(lab: Lab) -> Iterator[None]:
    yield
    lab.kubectl("delete", "pod", "--selector", "!controller", "--field-selector", "metadata.name!=wasi-debug-echo")
    assert lab.get("node", "krustlet-wasi")["status"]["conditions"]


def once(lab: Lab, tmp_path: Path, name: str, source: str, **container: object) -> None:
    image = guests.push(lab, tmp_path, name, source)
    guests.apply(lab, tmp_path, guests.pod(name, image, restartPolicy="Never", container=container))


def test_a_trap_is_an_error_with_its_text(lab: Lab, tmp_path: Path) -> None:
    once(lab, tmp_path, "trap", guests.TRAP)
    end = guests.ended(lab, "trap")
    assert (end["exitCode"], end["reason"]) == (134, "Error")
    assert "unreachable" in end["message"]
    assert lab.get("pod", "trap")["status"]["phase"] == "Failed"


def test_an_exit_code_is_kept(lab: Lab, tmp_path: Path) -> None:
    once(lab, tmp_path, "quit", guests.QUIT_7)
    assert guests.ended(lab, "quit")["exitCode"] == 7


def test_restart_policy_always_restarts_with_back_off(lab: Lab, tmp_path: Path) -> None:
    image = guests.push(lab, tmp_path, "again", guests.QUIT_7)
    guests.apply(lab, tmp_path, guests.pod("again", image))
    eventually(lambda: guests.container(lab, "again").get("restartCount", 0) >= 1, within=60, what="a restart")
    assert guests.ended(lab, "again")["exitCode"] == 7


def test_an_endless_loop_can_be_deleted_while_the_node_lives_on(lab: Lab, tmp_path: Path) -> None:
    once(lab, tmp_path, "loop", guests.LOOP)
    guests.running(lab, "loop")
    assert lab.ready("node")
    lab.kubectl("delete", "pod", "loop", "--timeout=20s")
    assert "NotFound" in lab.kubectl("get", "pod", "loop", check=False)


@pytest.mark.parametrize(("name", "source"), [("greedy", guests.GREEDY), ("huge", guests.HUGE)])
def test_more_memory_than_allowed_is_not_given(lab: Lab, tmp_path: Path, name: str, source: str) -> None:
    once(lab, tmp_path, name, source, resources={"limits": {"memory": "16Mi"}})
    assert guests.ended(lab, name)["exitCode"] != 0


def test_a_module_without_start_is_told(lab: Lab, tmp_path: Path) -> None:
    once(lab, tmp_path, "nostart", guests.NO_START)
    assert "_start" in str(lab.get("pod", "nostart")["status"]) or "_start" in guests.waiting(lab, "nostart")["message"]


def test_an_ordinary_container_image_waits_with_a_reason(lab: Lab, tmp_path: Path) -> None:
    guests.apply(lab, tmp_path, guests.pod("nginx", "docker.io/library/nginx:1.29"))
    said = guests.waiting(lab, "nginx")
    assert said["reason"] in ("ErrImagePull", "ImagePullBackOff")
    assert "docker.io" in said["message"]


@pytest.mark.parametrize("layout", ["krustlet", "oci"])
def test_both_kinds_of_wasm_artifacts_run(lab: Lab, tmp_path: Path, layout: str) -> None:
    image = guests.push_file(lab, ROOT / "wasm/hello.wasm", f"hello-{layout}", layout=layout)
    environment = [{"name": "DEBUG_ECHO_DESCRIPTION", "value": layout}]
    guests.apply(lab, tmp_path, guests.pod(f"hello-{layout}", image, container={"env": environment}))
    guests.running(lab, f"hello-{layout}")
    logs = eventually(lambda: lab.kubectl("logs", f"hello-{layout}"), what="a line in the log")
    assert logs == f"Pod is running and using debugEcho device named: {layout}\n"


def test_a_module_that_is_not_what_its_digest_says_is_refused(lab: Lab, tmp_path: Path) -> None:
    image = guests.push(lab, tmp_path, "tampered", guests.NEVER_RUN_BEFORE)
    digest = image.rpartition("sha256:")[2]
    blobs = lab.layout.state / "registry"
    manifest = next(path for path in blobs.rglob(f"{digest}/data"))
    layer = manifest.read_text().split('"layers"', 1)[1].split("sha256:", 1)[1][:64]
    blob = next(path for path in blobs.rglob(f"{layer}/data"))
    blob.write_bytes(blob.read_bytes()[:-1] + b"\x00")
    guests.apply(lab, tmp_path, guests.pod("tampered", image))
    assert "sha256" in guests.waiting(lab, "tampered")["message"]
    assert not list((lab.layout.state / "node").rglob(f"{layer}*"))


def test_logs_follow_and_the_previous_run_is_kept(lab: Lab, tmp_path: Path) -> None:
    image = guests.push_file(lab, ROOT / "wasm/hello.wasm", "prints-and-fails")
    guests.apply(lab, tmp_path, guests.pod("fails", image))
    eventually(lambda: guests.container(lab, "fails").get("restartCount", 0) >= 1, within=60, what="a restart")
    assert "DEBUG_ECHO_DESCRIPTION" in lab.kubectl("logs", "fails", "--previous")
    followed = lab.kubectl("logs", "fails", "--follow", "--since=1h", "--limit-bytes=10000", check=False)
    assert "DEBUG_ECHO_DESCRIPTION" in followed


def test_a_pod_reads_its_token_and_configuration(lab: Lab, tmp_path: Path) -> None:
    """The service account token that admission injects is there, for the API server's own audience."""
    image = guests.push_file(lab, ROOT / "wasm/hello.wasm", "reads")
    guests.apply(
        lab,
        tmp_path,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "words", "namespace": "default"},
            "data": {"word": "from a ConfigMap"},
        },
        guests.pod(
            "reads",
            image,
            container={
                "env": [
                    {
                        "name": "DEBUG_ECHO_DESCRIPTION",
                        "valueFrom": {"configMapKeyRef": {"name": "words", "key": "word"}},
                    }
                ]
            },
        ),
    )
    guests.running(lab, "reads")
    uid = lab.get("pod", "reads")["metadata"]["uid"]
    token = next((lab.layout.state / "node").rglob(f"{uid}/**/token"))
    assert token.read_text().count(".") == 2
    assert "from a ConfigMap" in eventually(lambda: lab.kubectl("logs", "reads"), what="a line in the log")
