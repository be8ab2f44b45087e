"""What a Kind cluster is compared by, what is decided, what stands in the way, and what the engines' answers mean."""

import base64
import io
import json
import stat
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.edgelab.akri.plugins.module_utils import _kind_cluster as cluster
from ansible_collections.edgelab.akri.plugins.module_utils import _kind_engine as engine
from ansible_collections.edgelab.akri.plugins.module_utils import _kind_kubeconfig as kubeconfigs
from ansible_collections.edgelab.akri.plugins.module_utils import _kind_model as model
from ansible_collections.edgelab.akri.plugins.module_utils import _kind_preflight as preflight
from ansible_collections.edgelab.akri.plugins.module_utils import _kind_tool as tool
from ansible_collections.edgelab.akri.plugins.module_utils._kind_model import Found, Mount, Node, Wanted
from edgelab.core.errors import LabError

IMAGE = "kindest/node@sha256:0123"
CONFIG: dict[str, Any] = {
    "networking": {"podSubnet": "10.245.0.0/16"},
    "nodes": [
        {
            "role": "control-plane",
            "extraMounts": [{"hostPath": "/lab/certs.d", "containerPath": "/etc/c", "readOnly": True}],
        },
        {"role": "worker"},
        {"role": "worker"},
    ],
}
WANTED = Wanted("one", CONFIG, f"docker.io/{IMAGE}")
NODES = [
    Node("one-control-plane", IMAGE, frozenset({Mount("/lab/certs.d", "/etc/c", read_only=True)})),
    Node("one-worker", IMAGE, frozenset()),
    Node("one-worker2", IMAGE, frozenset()),
]
FOUND = Found(NODES, WANTED.record, {"podSubnet": "10.245.0.0/16"})


def stopped(node: Node) -> Node:
    return Node(node.name, node.image, node.mounts, running=False)


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (Found(), "create"),
        (FOUND, "keep"),
        (Found([stopped(NODES[0]), *NODES[1:]], FOUND.record), "start"),
        (Found(NODES[:2]), "replace"),
        (Found([stopped(node) for node in NODES]), "replace"),
    ],
    ids=["none", "as-wanted", "stopped", "interrupted", "interrupted-and-rebooted"],
)
def test_step(found: Found, step: str) -> None:
    assert model.decide(WANTED, found, recreate=False).step == step


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Found(NODES[:2], FOUND.record), "one-worker2"),
        (Found([NODES[0], Node("one-worker", "kindest/node:v1.30.0", frozenset()), NODES[2]], FOUND.record), "v1.30.0"),
        (Found([Node("one-control-plane", IMAGE, frozenset()), *NODES[1:]], FOUND.record), "/lab/certs.d:/etc/c:ro"),
        (Found(NODES, FOUND.record, {"podSubnet": "10.244.0.0/16"}), "podSubnet is 10.244.0.0/16"),
        (Found(NODES, {**WANTED.record, "image": "other"}), "image is other"),
        (
            Found(NODES, {"image": WANTED.image, "config": {**CONFIG, "featureGates": {"A": True}}}),
            "featureGates.A is true",
        ),
        (Found([Node("one-control-plane", "own", frozenset())]), "this collection did not complete"),
    ],
    ids=["node-removed", "image", "mount", "subnet", "noted-image", "noted-config", "somebody-elses"],
)
def test_what_differs_is_told_and_made_anew_on_request_alone(found: Found, said: str) -> None:
    with pytest.raises(LabError, match="kind_host_recreate=true") as refused:
        model.decide(WANTED, found, recreate=False)
    assert said in str(refused.value)
    plan = model.decide(WANTED, found, recreate=True)
    assert plan.step == "replace"
    assert said in "; ".join(map(str, plan.differences))


def test_without_an_image_any_will_do() -> None:
    wanted = Wanted("one", CONFIG, "")
    assert model.decide(wanted, Found(NODES, wanted.record), recreate=False).step == "keep"


def test_one_node_where_none_is_given() -> None:
    assert [node.name for node in Wanted("one", {}, "").nodes] == ["one-control-plane"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kindest/node:v1.36.3", "kindest/node:v1.36.3"),
        ("docker.io/kindest/node:v1.36.3", "kindest/node:v1.36.3"),
        ("kindest/node:v1.36.3@sha256:0123", "kindest/node@sha256:0123"),
        ("docker.io/kindest/node@sha256:0123", "kindest/node@sha256:0123"),
        ("registry:5000/node:v1@sha256:0123", "registry:5000/node@sha256:0123"),
        ("localhost/node:1", "localhost/node:1"),
        ("docker.io/library/node", "node"),
    ],
)
def test_image_names_are_compared_as_engines_say_them(name: str, said: str) -> None:
    assert model.image_name(name) == said


class Answers:
    """A program's answers by the beginning of its command line; notes what was asked."""

    def __init__(self, answers: Mapping[str, engine.Done | str | bytes]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.environment: Mapping[str, str] = {}
        self.stdin = b""

    def __call__(
        self, command: Sequence[str], *, stdin: bytes = b"", seconds: float = 60, extra: Mapping[str, str] | None = None
    ) -> engine.Done:
        line = " ".join(command)
        self.asked.append(line)
        self.environment, self.stdin = extra or {}, stdin
        answer = next((answer for start, answer in self.answers.items() if line.startswith(start)), None)
        if isinstance(answer, engine.Done):
            return answer
        if answer is None:
            return engine.Done(127, b"", "No such file or directory")
        return engine.Done(0, answer.encode() if isinstance(answer, str) else answer, "")


def test_docker_comes_before_podman_when_it_answers() -> None:
    both = {"docker info": '{"ServerVersion": "29.0.0"}', "podman info": '{"host": {}}'}
    assert engine.choose("auto", run=Answers(both))[0] == "docker"
    silent = {**both, "docker info": engine.Done(0, b'{"ServerErrors": ["Cannot connect to the Docker daemon"]}', "")}
    assert engine.choose("auto", run=Answers(silent))[0] == "podman"
    with pytest.raises(LabError, match="docker: Cannot connect to the Docker daemon"):
        engine.choose("docker", run=Answers(silent))


def test_no_engine_is_an_error_only_where_one_is_needed() -> None:
    with pytest.raises(LabError, match="docker: not installed; podman: not installed"):
        engine.choose("auto", run=Answers({}))
    name, _ = engine.choose("auto", needed=False, run=Answers({}))
    nothing = engine.Engine(name, Answers({}))
    assert nothing.cluster("one") == Found()
    assert nothing.network() == ("", "")


# As Podman 4.3.1 and the Docker Engine API 1.51 tell of a node; other fields left out.
PODMAN_NODE = {
    "Name": "one-control-plane",
    "ImageName": "localhost/edgelab/kind-node:e168cbe4e0d7",
    "State": {"Running": True},
    "Config": {"Labels": {"io.x-k8s.kind.cluster": "one", "io.x-k8s.kind.role": "control-plane"}, "Image": "x"},
    "Mounts": [
        {"Type": "volume", "Source": "/var/lib/containers/v/_data", "Destination": "/var", "RW": True},
        {"Type": "bind", "Source": "/lib/modules", "Destination": "/lib/modules", "RW": False},
        {"Type": "bind", "Source": "/lab/certs.d", "Destination": "/etc/containerd/certs.d", "RW": False},
    ],
}
DOCKER_NODE = {
    **{key: value for key, value in PODMAN_NODE.items() if key != "ImageName"},
    "Name": "/one-control-plane",
    "Config": {**PODMAN_NODE["Config"], "Image": "kindest/node:v1.36.3@sha256:0123"},  # type: ignore[dict-item]
}
PODMAN_NETWORK = {
    "id": "409a",
    "subnets": [
        {"subnet": "fc00:f853:ccd:e793::/64", "gateway": "fc00:f853:ccd:e793::1"},
        {"subnet": "10.89.0.0/24", "gateway": "10.89.0.1"},
    ],
}
DOCKER_NETWORK = {
    "Id": "409a",
    "IPAM": {"Config": [{"Subnet": "fc00:f853:ccd:e793::/64"}, {"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]},
}
KUBEADM = """\
kind: ClusterConfiguration
networking: {podSubnet: 10.245.0.0/16, serviceSubnet: 10.96.0.0/16}
---
kind: InitConfiguration
"""


def kind_directory(files: Mapping[str, str]) -> bytes:
    """What `cp NODE:/kind -` gives."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"kind/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "node", "image"),
    [
        ("podman", PODMAN_NODE, "localhost/edgelab/kind-node:e168cbe4e0d7"),
        ("docker", DOCKER_NODE, "kindest/node@sha256:0123"),
    ],
)
def test_a_cluster_is_read_from_its_containers(name: str, node: dict[str, Any], image: str) -> None:
    files = {"version": "v1.36.3", "kubeadm.conf": KUBEADM, "edgelab.json": json.dumps(WANTED.record)}
    run = Answers(
        {
            f"{name} ps": "one-control-plane\n",
            f"{name} inspect": json.dumps([node]),
            f"{name} cp one-control-plane:/kind -": kind_directory(files),
        }
    )
    found = engine.Engine(name, run).cluster("one")
    mounts = frozenset({Mount("/lab/certs.d", "/etc/containerd/certs.d", read_only=True)})
    assert found.nodes == [Node("one-control-plane", image, mounts)]
    assert found.record == WANTED.record
    assert found.networking == {"podSubnet": "10.245.0.0/16", "serviceSubnet": "10.96.0.0/16"}
    assert found.version == "v1.36.3"


def test_an_interrupted_cluster_has_no_record() -> None:
    run = Answers(
        {
            "podman ps": "one-control-plane\n",
            "podman inspect": json.dumps([PODMAN_NODE]),
            "podman cp": engine.Done(125, b"", "no such file"),
        }
    )
    assert engine.Engine("podman", run).cluster("one").record is None


@pytest.mark.parametrize(
    ("name", "body", "gateway"),
    [("podman", PODMAN_NETWORK, "10.89.0.1"), ("docker", DOCKER_NETWORK, "172.18.0.1")],
)
def test_gateway(name: str, body: dict[str, Any], gateway: str) -> None:
    run = Answers({f"{name} network inspect kind": json.dumps([body])})
    assert engine.Engine(name, run).network() == ("409a", gateway)


def test_volumes_of_an_interrupted_run_are_removed_and_no_others() -> None:
    volumes = [
        {"Name": "a", "Labels": {"one-control-plane": "true"}},
        {"Name": "b", "Labels": {"one-more-control-plane": "true"}},
        {"Name": "c", "Labels": {"one-worker2": "true"}},
        {"Name": "d", "Labels": None},
    ]
    run = Answers({"podman volume ls": json.dumps(volumes), "podman volume rm": ""})
    assert engine.Engine("podman", run).remove_volumes("one") == ["a", "c"]
    assert run.asked[-1] == "podman volume rm a c"


ROOMY = preflight.Machine(memory=8 << 30, disk=50 << 30, inotify_limit=512, inotify_used=20, engine_host="")
DOCKER = {"CgroupVersion": "2", "OperatingSystem": "Debian GNU/Linux 13", "SecurityOptions": ["name=seccomp"]}


@pytest.mark.parametrize(
    ("info", "machine", "config", "said"),
    [
        ({**DOCKER, "SecurityOptions": ["name=rootless"]}, {}, {}, "docker is rootless"),
        ({"host": {"security": {"rootless": True}, "cgroupVersion": "v2"}}, {}, {}, "is rootless"),
        ({**DOCKER, "OperatingSystem": "Docker Desktop"}, {}, {}, "docker context use default"),
        ({"host": {"serviceIsRemote": True}}, {}, {}, "lab_host"),
        (DOCKER, {"engine_host": "ssh://far"}, {}, "ssh://far"),
        ({"CgroupVersion": "1"}, {}, {}, "systemd.unified_cgroup_hierarchy=1"),
        (DOCKER, {"memory": 1 << 29}, {}, "0.5 GiB of memory are free; 1 node(s) need 1.0 GiB"),
        (DOCKER, {"memory": 7 << 28}, CONFIG, "3 node(s) need 2.0 GiB"),
        (DOCKER, {"disk": 1 << 30}, {}, "3.0 GiB are needed"),
        (DOCKER, {"inotify_limit": 128, "inotify_used": 110}, {}, "sysctl fs.inotify.max_user_instances=512"),
        (DOCKER, {"taken_ports": [6443]}, {}, "Port 6443"),
    ],
)
def test_obstacles(info: dict[str, Any], machine: dict[str, Any], config: dict[str, Any], said: str) -> None:
    given = preflight.Machine(**{**{name: getattr(ROOMY, name) for name in ROOMY.__dataclass_fields__}, **machine})
    with pytest.raises(LabError) as refused:
        preflight.check("docker", info, config, given)
    assert said in str(refused.value)


def test_a_fit_machine_is_taken() -> None:
    assert preflight.check("docker", DOCKER, CONFIG, ROOMY) == []
    patched = {"kubeadmConfigPatches": ["kind: KubeletConfiguration\nfailCgroupV1: false\n"]}
    assert preflight.check("docker", {"CgroupVersion": "1"}, patched, ROOMY) == []


def test_the_kernels_own_limit_is_warned_of() -> None:
    tight = preflight.Machine(ROOMY.memory, ROOMY.disk, inotify_limit=128, inotify_used=10, engine_host="")
    assert "max_user_instances" in preflight.check("docker", DOCKER, {}, tight)[0]


def test_ports_that_a_configuration_asks_for() -> None:
    config = {
        "networking": {"apiServerPort": 6443},
        "nodes": [{"extraPortMappings": [{"containerPort": 80, "hostPort": 8080, "listenAddress": "127.0.0.1"}]}],
    }
    assert list(preflight.wanted_ports(config)) == [("127.0.0.1", 6443), ("127.0.0.1", 8080)]


CA = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
KUBECONFIG = yaml.safe_dump(
    {
        "clusters": [
            {
                "name": "kind-one",
                "cluster": {
                    "server": "https://127.0.0.1:40001",
                    "certificate-authority-data": base64.b64encode(CA.encode()).decode(),
                },
            }
        ],
        "users": [{"name": "kind-one", "user": {"client-key-data": "secret"}}],
        "contexts": [{"name": "kind-one", "context": {"cluster": "kind-one", "user": "kind-one"}}],
    }
)


def test_kubeconfigs_of_their_own(tmp_path: Path) -> None:
    files = kubeconfigs.Files(tmp_path / "kubeconfig", tmp_path / "pki/ca.crt", None)
    assert files.outdated(KUBECONFIG) == [files.kubeconfig, files.authority]
    files.write(KUBECONFIG)
    assert files.outdated(KUBECONFIG) == []
    assert files.authority is not None
    assert files.kubeconfig is not None
    assert files.authority.read_text() == CA
    assert stat.S_IMODE(files.kubeconfig.stat().st_mode) == 0o600
    files.kubeconfig.chmod(0o644)
    assert files.outdated(KUBECONFIG) == [files.kubeconfig]


def test_a_merged_kubeconfig_is_outdated_when_the_cluster_is_not_in_it_as_it_is(tmp_path: Path) -> None:
    merged = tmp_path / "config"
    files = kubeconfigs.Files(None, None, merged)
    assert files.outdated(KUBECONFIG) == [merged]
    other = yaml.safe_load(KUBECONFIG)
    other["users"].append({"name": "mine", "user": {}})
    merged.write_text(yaml.safe_dump({**other, "current-context": "mine"}))
    assert files.outdated(KUBECONFIG) == []
    assert kubeconfigs.has_entries(merged, "kind-one")
    assert not kubeconfigs.has_entries(merged, "kind-two")
    other["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    merged.write_text(yaml.safe_dump(other))
    assert files.outdated(KUBECONFIG) == [merged]


def test_host_paths_are_as_engines_tell_them(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "place")
    mount = {"hostPath": str(tmp_path / "link/../link/x"), "containerPath": "/x"}
    given = {"networking": {}, "nodes": [{"role": "worker", "extraMounts": [mount]}, {"role": "worker"}]}
    located = cluster.located(given)
    assert located["nodes"][0]["extraMounts"] == [{**mount, "hostPath": str(tmp_path / "place/x")}]
    assert [node.mounts for node in Wanted("one", located, "").nodes][1] == frozenset()


def test_kind_is_asked_in_its_own_words() -> None:
    run = Answers({"/kind create": ""})
    tool.Kind(Path("/kind"), "podman", 600, run).create(WANTED)
    assert run.asked[0].startswith("/kind create cluster --config - --wait 300s --kubeconfig /")
    assert run.asked[0].endswith(f"--image docker.io/{IMAGE}")
    assert run.environment["KIND_EXPERIMENTAL_PROVIDER"] == "podman"
    asked = json.loads(run.stdin)
    assert (asked["kind"], asked["apiVersion"], asked["name"]) == ("Cluster", "kind.x-k8s.io/v1alpha4", "one")
    assert asked["nodes"] == CONFIG["nodes"]


def test_what_kind_said_last_is_told() -> None:
    words = (
        'Creating cluster "one" ...\nERROR: failed to create cluster: could not find a log line\nStack Trace:\n\tx\n'
    )
    run = Answers({"/kind create": engine.Done(1, b"", words)})
    with pytest.raises(LabError, match="failed to create cluster: could not find a log line") as failed:
        tool.Kind(Path("/kind"), "podman", 600, run).create(WANTED)
    assert "Stack Trace" not in str(failed.value)
