"""A stand-in for Compute Engine, for tests: no cloud can be reached from where they run, and none should be paid for.

It speaks the REST interface of the Compute API (and of OS Login, and of the token endpoint) on loopback to Google's own
client, takes the time that operations take, refuses what the real one refuses and fails on request:

    with GceStandin(machines=MyMachines()) as gce:
        run_playbook(gce_host_project=gce.project, gce_host_api_endpoint=gce.url,
                     gce_host_credentials_file=str(gce.credentials_file), ...)
        gce.cloud.fail("instances.insert", STOCKOUT)
        assert ("europe-west1-b", "edgelab-x") in gce.cloud.instances

What an instance really is, `machines` decides (`gce_cloud.Machines`). For what is no Python there is a command:

    python -m standins.gce start DIRECTORY     in the background; writes DIRECTORY/gce.json (url, project,
                                               credentials_file, pid, ssh_user, ssh_port); each instance is an sshd
    python -m standins.gce stop DIRECTORY
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

from aiohttp import web
from standins.gce_api import application
from standins.gce_auth import Accounts
from standins.gce_cloud import Cloud, Machines, NoMachines


class GceStandin:
    """The service in a thread of its own, on a free port of loopback, from `with` to its end."""

    def __init__(self, machines: Machines | None = None, project: str = "lab-project") -> None:
        self.project = project
        self.cloud = Cloud(project, machines or NoMachines())
        self.accounts = Accounts(project)
        self.url = ""
        self._directory = tempfile.TemporaryDirectory(prefix="edgelab-gce-standin-")
        self.credentials_file = Path(self._directory.name) / "service-account.json"
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="gce-standin", daemon=True)

    def __enter__(self) -> "GceStandin":
        self._thread.start()
        if not self._up.wait(20):
            raise RuntimeError("The stand-in for Compute Engine did not start within 20 s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        for zone, name in list(self.cloud.instances):
            self.cloud.remove_instance((zone, name))
        self._directory.cleanup()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(application(self.cloud, self.accounts))
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self.accounts.write_key_file(self.credentials_file, f"{self.url}/token")
        self._up.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()


def start(directory: Path) -> None:
    """Start a stand-in in the background and wait until it answers."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "gce.log").open("ab") as log:
        command = [sys.executable, "-m", "standins.gce", "run", str(directory)]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (directory / "gce.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit((directory / "gce.log").read_text())
        time.sleep(0.05)


def run(directory: Path) -> None:
    """Be a stand-in until SIGTERM."""
    from standins.sshd import SshMachines  # noqa: PLC0415 - who brings machines of their own needs no sshd

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    machines = SshMachines(directory)
    with GceStandin(machines) as gce:
        content = {
            "url": gce.url,
            "project": gce.project,
            "credentials_file": str(gce.credentials_file),
            "pid": os.getpid(),
            "ssh_user": machines.user,
            "ssh_port": machines.port,
        }
        new = directory / "gce.json.new"
        new.write_text(json.dumps(content))
        new.rename(directory / "gce.json")
        stopped.wait()


def stop(directory: Path) -> None:
    """End a stand-in that `start` started, and its machines."""
    file = directory / "gce.json"
    if not file.exists():
        return
    pid = int(json.loads(file.read_text())["pid"])
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    file.unlink()


if __name__ == "__main__":
    {"start": start, "run": run, "stop": stop}[sys.argv[1]](Path(sys.argv[2]))
