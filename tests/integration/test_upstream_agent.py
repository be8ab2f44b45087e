"""Akri's own agent beside the Wasm node: the demo with a program that has its interface and its limits.

The program is a stand-in, tests/standins/akri_agent.py. Its directory is compiled in, so the lab lives in a mount
namespace in which /var/lib/kubelet is its own; that takes root.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import architecture_of
from ansible_collections.edgelab.akri.plugins.module_utils._image_file import Image, Wanted, provide
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import Address
from edgelab.core.errors import LabError
from labkit import Lab, Result, new_lab
from standins.akri_agent import write_program

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.getuid() != 0, reason="only root may have a /var/lib/kubelet of its own; CI is root"),
]

KUBELET = Path("/var/lib/kubelet")
PROGRAM = "usr/local/bin/akri"
ARCHITECTURE = architecture_of(platform.machine())


@dataclass(slots=True)
class SecludedLab(Lab):
    """A lab whose commands run in the mount namespace of a process."""

    keeper: int = 0

    def run(self, command: list[str], *, check: bool = True, extra: Mapping[str, str] | None = None) -> Result:
        """Run a command with the lab's environment, in its namespace."""
        enter = ["nsenter", f"--target={self.keeper}", "--mount", "env", f"--chdir={self.directory}"]
        return Lab.run(self, [*enter, *command], check=check, extra=extra)


@pytest.fixture(scope="module")
def keeper() -> Iterator[int]:
    """A process that keeps a mount namespace with an empty /var/lib/kubelet."""
    is_ours = not KUBELET.exists()
    KUBELET.mkdir(exist_ok=True)
    script = f"mount -t tmpfs none {KUBELET} && mkdir {KUBELET}/device-plugins && echo ready && exec cat"
    words = ["unshare", "--mount", "--propagation=private", "sh", "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.send_signal(signal.SIGTERM)
    if is_ours:
        KUBELET.rmdir()


@pytest.fixture(scope="module")
def secluded(keeper: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with the demo, its agent the stand-in for Akri's own; the role of the agent was checked on the way."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plain = new_lab(
        "upstream",
        krustlet_device_plugins_dir=f"{KUBELET}/device-plugins",
        akri_agent_implementation="upstream",
        akri_agent_binary=str(write_program(tmp_path_factory.mktemp("program") / "agent")),
        akri_agent_allow_open_metrics=True,
        akri_agent_metrics_port=port,
    )
    made = SecludedLab(plain.home, plain.name, plain.variables, keeper=keeper)
    try:
        yield made
    finally:
        if made.layout.marker.exists():
            made.remove()


def test_the_demo_works_with_it_as_check_mode_says_and_a_second_run_changes_nothing(secluded: Lab) -> None:
    would = secluded.playbook("up.yml", "--check").changed_tasks()
    did = secluded.playbook("site.yml").changed_tasks()  # which also shows the demo, and verifies it
    assert did[: len(would)] == would
    assert secluded.playbook("up.yml").changed_tasks() == []
    nodes = [node for item in secluded.get("instances.akri.sh", "-A")["items"] for node in item["spec"]["nodes"]]
    assert nodes == ["krustlet-wasi"]


def test_where_it_would_do_harm_it_is_refused(secluded: Lab) -> None:
    refused = secluded.playbook("up.yml", check=False, akri_agent_allow_open_metrics=False)
    assert refused.status
    assert "set akri_agent_allow_open_metrics: true" in " ".join(refused.output.split())
    assert refused.changed_tasks() == []


def test_beside_a_real_kubelet_it_is_refused(secluded: Lab) -> None:
    """The lab's own node is none, and a kubelet is known by what it leaves in its directory."""
    checkpoint = f"{KUBELET}/device-plugins/kubelet_internal_checkpoint"
    assert preflight(secluded).status == 0
    secluded.run(["touch", checkpoint])
    refused = preflight(secluded)
    secluded.run(["rm", checkpoint])
    assert refused.status
    assert "A kubelet uses the directory" in refused.output


def preflight(lab: Lab) -> Result:
    """Run the module alone, which is quicker than a playbook."""
    places = {"state_dir": str(lab.layout.state), "run_dir": str(lab.layout.run)}
    options = json.dumps({**places, "metrics_port": 8080, "open_metrics": True})
    python = ["-e", "ansible_python_interpreter={{ ansible_playbook_python }}"]
    return lab.run(["ansible", "localhost", "-m", "edgelab.akri.agent_preflight", "-a", options, *python], check=False)


def test_out_of_its_image_it_is_the_program_that_runs(secluded: Lab) -> None:
    address, ca = f"127.0.0.1:{secluded.ports['registry']}", secluded.layout.pki / "ca.crt"
    content = Path(secluded.variables["akri_agent_binary"]).read_bytes()
    image = push(address, ca, {PROGRAM: content})
    from_image: dict[str, Any] = {"akri_agent_binary": "", "akri_agent_image": image, "akri_agent_image_ca": str(ca)}
    changed = secluded.playbook("up.yml", **from_image).changed_tasks()
    try:
        assert [name.split(" : ")[1] for name in changed] == ["Take Akri's agent out of its image", "Run the agent"]
        command = Path(f"/proc/{secluded.pid('agent')}/cmdline").read_bytes()
        assert b"akri_agent.py" in command
        assert secluded.playbook("up.yml", **from_image).changed_tasks() == []
    finally:
        for entry in secluded.layout.cache.glob(f"bin/akri-agent-{Image.parse(image).digest[7:19]}-linux-*"):
            shutil.rmtree(entry)


def test_what_an_image_lacks_or_what_it_is_not_is_told(secluded: Lab, tmp_path: Path) -> None:
    host, ca = f"127.0.0.1:{secluded.ports['registry']}", secluded.layout.pki / "ca.crt"
    image = Image.parse(push(host, ca, {PROGRAM: b"program"}))

    def take(path: str = f"/{PROGRAM}", image: Image = image, architecture: str = ARCHITECTURE) -> Path:
        wanted = Wanted("agent", image, path, architecture)
        return Path(provide(wanted, tmp_path, Address(host, ca), dry_run=False)["path"])

    assert take().read_bytes() == b"program"
    with pytest.raises(LabError, match="No layer of it has that file"):
        take("/usr/local/bin/other", Image(image.host, image.repository, push(host, ca, {"x": b""})[-71:]))
    with pytest.raises(LabError, match="this machine is riscv64"):
        take(architecture="riscv64")
    with pytest.raises(LabError, match="404"):
        take(image=Image(host, "test/agent", f"sha256:{'0' * 64}"))
    with pytest.raises(LabError, match="It is not named by its digest"):
        Image.parse(f"{host}/test/agent:latest")


def push(address: str, ca: Path, files: dict[str, bytes]) -> str:
    """Push an image for several architectures, the machine's among them; its file lies below an empty layer."""
    url = f"https://{address}/v2/test/agent"

    def blob(content: bytes, media_type: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        place = requests.post(f"{url}/blobs/uploads/", verify=str(ca), timeout=10).headers["Location"]
        answer = requests.put(place, params={"digest": digest}, data=content, verify=str(ca), timeout=10)
        answer.raise_for_status()
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def manifest(body: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps({"schemaVersion": 2, **body}).encode()
        digest, headers = f"sha256:{hashlib.sha256(content).hexdigest()}", {"Content-Type": body["mediaType"]}
        answer = requests.put(f"{url}/manifests/{digest}", data=content, headers=headers, verify=str(ca), timeout=10)
        answer.raise_for_status()
        return {"mediaType": body["mediaType"], "digest": digest, "size": len(content)}

    oci = "application/vnd.oci.image"
    layers = [blob(layer(each), f"{oci}.layer.v1.tar+gzip") for each in (files, {})]
    config = blob(b"{}", f"{oci}.config.v1+json")
    one = manifest({"mediaType": f"{oci}.manifest.v1+json", "config": config, "layers": layers})
    architectures = {ARCHITECTURE, "s390x"}
    each = [{**one, "platform": {"os": "linux", "architecture": name}} for name in sorted(architectures)]
    index = manifest({"mediaType": f"{oci}.index.v1+json", "manifests": each})
    return f"{address}/test/agent@{index['digest']}"


def layer(files: dict[str, bytes]) -> bytes:
    """A layer with these files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)
