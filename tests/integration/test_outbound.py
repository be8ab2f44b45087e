"""HTTP requests of Wasm Pods: to the device that a Pod was given or whom an annotation allows, and to nobody else."""

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import guests
import pytest
from labkit import BIN, ROOT, Lab, eventually

CONFIGURATION = "outbound"
ENDPOINT = "AKRI_HTTP_DEVICE_ENDPOINT"
DOMAINS = "alpha.wasi.krustlet.dev/allowed-domains"


class Device(ThreadingHTTPServer):
    """An HTTP device; it notes the paths that it was asked for."""

    def __init__(self, value: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.value = value
        self.paths: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/"


class _Answer(BaseHTTPRequestHandler):
    server: Device

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.value.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def lab(bare_lab: Lab) -> Iterator[Lab]:
    """The lab that has no demo of its own; the Pods of a test go with it."""
    yield bare_lab
    bare_lab.kubectl("delete", "pod", "--selector", "!controller")


@pytest.fixture
def devices() -> Iterator[list[Device]]:
    """Two devices, and the discovery service that lists them."""
    found = [Device("42.17\n"), Device("-1.50\n")]
    served = [*found, Device("\n".join(device.url for device in found))]
    for device in served:
        threading.Thread(target=device.serve_forever, daemon=True).start()
    yield served
    for device in served:
        device.shutdown()
        device.server_close()


@pytest.fixture
def resources(lab: Lab, devices: list[Device], tmp_path: Path) -> Iterator[list[str]]:
    """The resources of the two devices, which have brokers."""
    run = lab.layout.run
    command = [str(BIN / "edgelab"), "handler", "serve", "http", "--run", str(run), "--name", "outbound-handler"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as handler:
        try:
            guests.apply(lab, tmp_path, configuration(lab, devices[2].url))
            yield [f"akri.sh/{instance(lab, device.url)}" for device in devices[:2]]
        finally:
            lab.kubectl("delete", "configurations.akri.sh", CONFIGURATION, "--timeout=30s", check=False)
            handler.terminate()


def configuration(lab: Lab, discovery: str) -> dict[str, Any]:
    image = guests.push_file(lab, ROOT / "wasm/http_broker.wasm", "http-broker")
    environment = [{"name": "INTERVAL_SECONDS", "value": "1"}]
    broker = guests.pod("", image, requests={"{{PLACEHOLDER}}": "1"}, container={"env": environment})["spec"]
    return {
        "apiVersion": "akri.sh/v0",
        "kind": "Configuration",
        "metadata": {"name": CONFIGURATION, "namespace": "default"},
        "spec": {
            "discoveryHandler": {"name": "http", "discoveryDetails": f"url: {discovery}"},
            "brokerSpec": {"brokerPodSpec": broker},
            "capacity": 5,
        },
    }


def read_twice(lab: Lab, broker: str) -> list[str]:
    """The first lines that a broker printed."""

    def look() -> list[str]:
        lines = lab.kubectl("logs", broker, check=False).splitlines()
        return lines if len(lines) > 1 and lines[0].startswith("http device") else []

    return eventually(look, what=f"two readings of {broker}")


def instance(lab: Lab, url: str) -> str:
    """The name of a device's Instance, once there is one."""

    def look() -> str:
        found = lab.get("instances.akri.sh")["items"]
        names = (each["metadata"]["name"] for each in found if each["spec"]["brokerProperties"].get(ENDPOINT) == url)
        return next(names, "")

    return eventually(look, what=f"the Instance of {url}")


def answer(lab: Lab, directory: Path, name: str, url: str, **more: Any) -> int:
    """The exit code of a Pod that asks a URL: the number of its error, 0 when there was an answer."""
    image = guests.push(lab, directory, name, guests.asking(url))
    guests.apply(lab, directory, guests.pod(name, image, restartPolicy="Never", **more))
    return int(guests.ended(lab, name)["exitCode"])


def test_a_broker_reaches_its_own_device_and_no_other(
    lab: Lab, devices: list[Device], resources: list[str], tmp_path: Path
) -> None:
    for device, resource in zip(devices, resources, strict=False):
        said = read_twice(lab, f"krustlet-wasi-{resource.partition('/')[2]}-pod")
        assert set(said) == {f"http device {device.url} value {device.value.strip()}"}

    own, other = devices[:2]
    mine = {"requests": {resources[0]: "1"}}
    assert answer(lab, tmp_path, "own", f"{own.url}asked", **mine) == 0
    assert answer(lab, tmp_path, "other", f"{other.url}asked", **mine) == 7
    assert answer(lab, tmp_path, "no-device", f"{own.url}not-asked") == 7
    assert ("/asked" in own.paths, "/asked" in other.paths, "/not-asked" in own.paths) == (True, False, False)


def test_an_annotation_allows_a_host_but_not_the_lab(lab: Lab, devices: list[Device], tmp_path: Path) -> None:
    allowed = {"annotations": {DOMAINS: '["http://127.0.0.1"]'}}
    assert answer(lab, tmp_path, "allowed", devices[0].url, **allowed) == 0
    for name in ("kube_apiserver", "etcd_client", "registry"):
        port = lab.ports[name]
        assert answer(lab, tmp_path, name.replace("_", "-"), f"http://127.0.0.1:{port}/", **allowed) == 7, name


def test_a_malformed_annotation_fails_the_pod(lab: Lab, tmp_path: Path) -> None:
    image = guests.push(lab, tmp_path, "malformed", guests.asking("http://127.0.0.1/"))
    guests.apply(lab, tmp_path, guests.pod("malformed", image, annotations={DOMAINS: "127.0.0.1"}))
    eventually(lambda: lab.get("pod", "malformed")["status"]["phase"] == "Failed", what="the Pod to fail")
    status = lab.get("pod", "malformed")["status"]
    assert status["reason"] == "InvalidAnnotation"
    assert DOMAINS in status["message"]
