"""The services of the stand-in's snap: `daemon-k8s-dqlite` is etcd, `daemon-kubelite` the control plane in one unit.

Kubelite ends when one of its parts ends, as the real one does; systemd starts it again.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from standin import DATA, STOPPED, arguments, environment, program

SERVICES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
URL = "http://127.0.0.1:12379"


def main() -> None:
    """Run the service that the command line names."""
    environment()
    if STOPPED.exists():
        return
    if sys.argv[1] == "daemon-k8s-dqlite":
        data = f"--data-dir={DATA}/var/etcd"
        etcd = program("etcd")
        os.execv(etcd, [etcd, data, f"--listen-client-urls={URL}", f"--advertise-client-urls={URL}"])
    sys.exit(kubelite())


def kubelite() -> int:
    """Run the control plane until a part of it ends, or this is told to."""
    parts = {subprocess.Popen([program(name), *arguments(name)]).pid for name in SERVICES}
    signal.signal(signal.SIGTERM, lambda *_: end(parts))
    ended, status = os.wait()
    parts.discard(ended)
    end(parts)
    return os.waitstatus_to_exitcode(status) or 1


def end(parts: set[int]) -> None:
    """End what still runs; the API server would wait for its watches."""
    for pid in parts:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
