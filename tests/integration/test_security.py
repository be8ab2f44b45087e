"""What a lab shows to others: sockets, files, logs, command lines, the playbook's own output; and proxies."""

import http.client
import os
import re
import ssl
import stat
from http import HTTPStatus
from pathlib import Path

import yaml
from edgelab.lab import procs
from edgelab.lab.residue import lab_processes
from labkit import Lab

LOOPBACK = "0100007F"
LISTENING = "0A"


def secrets(lab: Lab) -> set[str]:
    """Every token and private key of the lab, as text that must not show up anywhere."""
    found = set()
    for path in (lab.layout.state / "kubeconfigs").iterdir():
        user = yaml.safe_load(path.read_text())["users"][0]["user"]
        found |= {user[key] for key in ("token", "client-key-data") if key in user}
    for path in lab.layout.state.rglob("*.key"):
        found.add(path.read_text().splitlines()[1])
    bootstrap = yaml.safe_load(lab.kubectl("get", "secrets", "-n", "kube-system", "-o", "yaml"))["items"]
    found |= {secret["data"]["token-secret"] for secret in bootstrap if "token-secret" in secret.get("data", {})}
    assert len(found) > 5
    return found


def test_every_tcp_socket_is_on_loopback(lab: Lab) -> None:
    ours = {inode for process in processes(lab) for inode in procs.sockets_of(process.pid)}
    listening = [fields for fields in tcp_sockets() if fields[3] == LISTENING and fields[9] in ours]
    ports = {int(fields[1].partition(":")[2], 16) for fields in listening}
    # The demos of HTTP devices and of cameras, which have two of the ports each, do not run here.
    others = {"http_devices", "http_page", "cameras", "video_page"}
    assert ports == {port for name, port in lab.ports.items() if name not in others}
    assert {fields[1].partition(":")[0] for fields in listening} == {LOOPBACK}


def processes(lab: Lab) -> list[procs.Process]:
    found = lab_processes([lab.layout.state, lab.layout.run])
    assert len(found) > 10
    return found


def tcp_sockets() -> list[list[str]]:
    tables = [Path("/proc/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    return [line.split() for table in tables for line in table]


def test_nobody_else_can_read_the_lab(lab: Lab) -> None:
    for directory in (lab.layout.state, lab.layout.run):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert directory.stat().st_uid == os.getuid()
    private = [lab.layout.kubeconfig, *(lab.layout.state / "kubeconfigs").iterdir(), *lab.layout.state.rglob("*.key")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_no_secret_is_in_a_log_or_a_command_line(lab: Lab) -> None:
    shown = "".join(path.read_text(errors="replace") for path in lab.layout.logs.iterdir())
    for process in processes(lab):
        shown += process.command + Path(f"/proc/{process.pid}/environ").read_bytes().decode(errors="replace")
    assert [secret[:6] for secret in secrets(lab) if secret in shown] == []


def test_no_secret_is_in_the_most_talkative_output_of_the_playbook(lab: Lab) -> None:
    (lab.layout.state / "kubeconfigs" / "agent").unlink()
    said = lab.playbook("site.yml", "-vvv", "--diff").output
    assert [secret[:6] for secret in secrets(lab) if secret in said] == []
    assert re.search(r"eyJ[\w-]{20,}\.", said) is None


def test_a_proxy_in_the_environment_does_not_come_between(lab: Lab) -> None:
    dead = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"), dead)
    command = ["ansible-playbook", "site.yml", "-e", f"lab_name={lab.name}"]
    result = lab.run(command, extra={**proxies, "NO_PROXY": "", "no_proxy": ""})
    assert result.recap()["changed"] == 0


def test_logs_are_for_those_who_may_read_them(lab: Lab) -> None:
    """Straight to the node, past the API server: without a certificate there is nothing but health."""
    assert answer(lab, "/healthz") == HTTPStatus.OK
    assert answer(lab, "/containerLogs/default/wasi-debug-echo/wasi-debug-echo") == HTTPStatus.UNAUTHORIZED


def answer(lab: Lab, path: str) -> int:
    context = ssl.create_default_context(cafile=lab.layout.pki / "ca.crt")
    connection = http.client.HTTPSConnection("127.0.0.1", lab.ports["node"], context=context, timeout=10)
    connection.request("GET", path)
    return connection.getresponse().status
