"""Small Wasm modules for tests, pushed to a lab's registry and run as Pods."""

import json
import time
from pathlib import Path
from typing import Any

import wasmtime
from labkit import Lab, eventually

ARCH = "kubernetes.io/arch"

LOOP = '(module (func (export "_start") (loop $again (br $again))))'
TRAP = '(module (func (export "_start") unreachable))'
QUIT_7 = """(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const 7))))"""
NEVER_RUN_BEFORE = """(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const 8))))"""
GREEDY = """(module
  (memory (export "memory") 1)
  (func (export "_start")
    (if (i32.eq (memory.grow (i32.const 32768)) (i32.const -1)) (then unreachable))))"""
HUGE = '(module (memory (export "memory") 65536) (func (export "_start")))'
NO_START = '(module (memory (export "memory") 1))'


def asking(url: str) -> str:
    """A module that asks a URL, and ends with the number of the host call's error; 0 when there was an answer."""
    return f"""(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_experimental_http" "req"
    (func $req (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "GET{url}")
  (func (export "_start")
    (call $exit (call $req (i32.const 67) (i32.const {len(url)}) (i32.const 64) (i32.const 3)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 12)))))"""


def push(lab: Lab, directory: Path, name: str, source: str, *, layout: str = "krustlet") -> str:
    """Push a module given as WebAssembly text; returns the image to put into a Pod."""
    path = directory / f"{name}.wasm"
    path.write_bytes(wasmtime.wat2wasm(source))
    return push_file(lab, path, name, layout=layout)


def push_file(lab: Lab, path: Path, name: str, *, layout: str = "krustlet") -> str:
    """Push a .wasm file with the collection's own module."""
    arguments = {
        "registry": f"127.0.0.1:{lab.ports['registry']}",
        "ca_path": str(lab.layout.pki / "ca.crt"),
        "artifacts": [{"path": str(path), "repository": f"tests/{name}", "tag": "v1", "format": layout}],
    }
    command = ["ansible", "localhost", "-m", "edgelab.akri.wasm_artifact", "-a", json.dumps(arguments)]
    output = lab.run(command, extra={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}).output
    image: str = json.loads(output.split("=>", 1)[1])["artifacts"][0]["image"]
    return image


def pod(
    name: str,
    image: str,
    *,
    requests: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A Pod for the Wasm node; `requests` are resources of its one container."""
    resources = {"requests": requests, "limits": requests} if requests else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {
            "containers": [{"name": "guest", "image": image, "resources": resources, **spec.pop("container", {})}],
            "nodeSelector": {ARCH: "wasm32-wasi"},
            "tolerations": [{"key": ARCH, "operator": "Exists"}],
            "terminationGracePeriodSeconds": 1,
            **spec,
        },
    }


def apply(lab: Lab, directory: Path, *bodies: dict[str, Any]) -> None:
    """kubectl apply."""
    path = directory / f"{time.monotonic_ns()}.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)}))
    lab.kubectl("apply", "-f", str(path))


def container(lab: Lab, name: str) -> dict[str, Any]:
    """Status of a Pod's one container; empty before there is one, or a Pod."""
    found = lab.kubectl("get", "pod", name, "-o", "json", "--ignore-not-found")
    statuses = json.loads(found)["status"].get("containerStatuses") if found else None
    status: dict[str, Any] = (statuses or [{}])[0]
    return status


def waiting(lab: Lab, name: str) -> dict[str, str]:
    """Why a Pod's container waits: reason and message."""
    return eventually(
        lambda: (
            container(lab, name).get("state", {}).get("waiting", {}).get("message")
            and container(lab, name)["state"]["waiting"]
        ),
        what=f"{name} to say why it waits",
    )


def ended(lab: Lab, name: str) -> dict[str, Any]:
    """How a Pod's container ended, now or before its restart."""

    def look() -> Any:
        status = container(lab, name)
        return status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")

    found: dict[str, Any] = eventually(look, what=f"{name} to end")
    return found


def running(lab: Lab, name: str) -> dict[str, Any]:
    """Status of a Pod's container once it runs."""
    eventually(lambda: container(lab, name).get("state", {}).get("running"), what=f"{name} to run")
    return container(lab, name)
