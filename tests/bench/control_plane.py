"""How soon after the start of etcd's process the control plane takes Pods, from an empty state and from a kept one.

Taking Pods is what people wait for: before the default ServiceAccount exists, admission refuses every Pod.
"""

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx2
from figure import Figure
from labkit import Lab, Result, eventually
from lightkube import Client, KubeConfig
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod
from weight import TICKS, stat

PLAYBOOK = Path(__file__).with_suffix(".yml")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
POD = Pod(
    metadata=ObjectMeta(name="probe", namespace="default"),
    spec=PodSpec(containers=[Container(name="guest", image="none")]),
)


def measure(labs: list[Lab]) -> list[Figure]:
    """Seconds until usable, one sample from each lab; the labs are made and removed."""
    empty, kept = [], []
    for lab in labs:
        try:
            empty.append(_until_usable(lab))
            _stop(lab)
            kept.append(_until_usable(lab))
        finally:
            lab.remove()
    return [
        Figure("control plane usable, from an empty state", "s", empty, aim=7),
        Figure("control plane usable, from a kept state", "s", kept, aim=5),
    ]


def _until_usable(lab: Lab) -> float:
    command = ["ansible-playbook", str(PLAYBOOK), "-e", json.dumps({"lab_name": lab.name})]
    with ThreadPoolExecutor(max_workers=1) as background:
        playbook = background.submit(lab.run, command)
        etcd = eventually(lambda: _failed(playbook) or lab.pid("etcd"), within=60, what="etcd to start")
        client = Client(KubeConfig.from_file(lab.layout.kubeconfig).get(), trust_env=False)
        eventually(lambda: _failed(playbook) or _takes_pods(client), within=60, what="a Pod to be accepted")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(stat(etcd)[19]) / TICKS


def _failed(playbook: Future[Result]) -> bool:
    """False, or an exception with the playbook's output."""
    if playbook.done():
        playbook.result()
    return False


def _takes_pods(client: Client) -> bool:
    try:
        client.create(POD, dry_run=True)
    except httpx2.HTTPError:
        return False
    return True


def _stop(lab: Lab) -> None:
    """End the programs, as a shutdown of the machine does; their data stays."""
    options = {"state_dir": str(lab.layout.state), "run_dir": str(lab.layout.run), "names": PROGRAMS, "state": "absent"}
    lab.run(["ansible", "localhost", "-m", "edgelab.akri.lab_processes", "-a", json.dumps(options)])
