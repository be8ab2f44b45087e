"""Akri by its Helm chart, on a real control plane with the real Helm; no node runs its Pods here (tests/kind has one).

The chart is the tests' own, with the values of Akri's: see tests/charts/akri.
"""

import base64
import functools
import hashlib
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.edgelab.akri.plugins.module_utils._chart_archive import Shelf, Source, present, read
from charts.packed import helm, pack
from cryptography import x509
from edgelab.core.errors import LabError
from labkit import ROOT, Lab, Result, eventually, new_lab

pytestmark = pytest.mark.lab

RELEASE = "edgelab.akri.akri : Have the release"
KINDS = (
    "edgelab.akri.akri : Define Akri's kinds as this version of the chart has them, since Helm does not upgrade them"
)
CLUSTER = {"containers": False, "kubelet_root": ""}


@pytest.fixture(scope="module")
def program() -> Path:
    return helm()


@pytest.fixture(scope="module")
def archive(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(program, tmp_path_factory.mktemp("chart"))


@pytest.fixture(scope="module")
def chart_lab(archive: Path) -> Iterator[Lab]:
    """A lab with Akri from the chart; `check` is what --check said of it on the empty machine."""
    made = new_lab("chart", akri_implementation="chart", akri_chart=str(archive), akri_chart_repository="")
    made.variables |= {"akri_chart_handlers": ["debugEcho"], "akri_image_pull_secrets": ["mine"]}
    try:
        yield made
    finally:
        if made.layout.marker.exists():
            made.remove()


def akri(lab: Lab, entry: str, *options: str, check: bool = True, **variables: Any) -> Result:
    """Run the role akri alone on a running lab, which is quicker than the playbook of all roles."""
    roles = [("lab", "main"), ("edgelab_runtime", "main"), ("akri", entry)]
    tasks = [{"ansible.builtin.include_role": {"name": f"edgelab.akri.{role}", "tasks_from": at}} for role, at in roles]
    playbook = lab.home / "akri.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    given = {"lab_name": lab.name, "lab_cluster_facts": CLUSTER, **lab.variables, **variables}
    return lab.run(["ansible-playbook", str(playbook), "-e", json.dumps(given), *options], check=check)


def test_check_mode_on_an_empty_machine_is_true_and_a_second_run_changes_nothing(chart_lab: Lab) -> None:
    would = chart_lab.playbook("up.yml", "--check").changed_tasks()
    did = chart_lab.playbook("up.yml").changed_tasks()
    assert would == did
    assert {RELEASE, KINDS} <= set(did)
    assert chart_lab.playbook("up.yml").changed_tasks() == []


def test_the_other_implementation_is_refused_while_one_is_there(chart_lab: Lab) -> None:
    """And nothing of it is applied, in either direction."""
    embedded = akri(chart_lab, "main", check=False, akri_implementation="embedded")
    assert embedded.status
    assert "Deployment akri/akri-controller-deployment" in " ".join(embedded.output.split())
    assert "by the other akri_implementation than embedded. Keep that one, or" in " ".join(embedded.output.split())
    assert chart_lab.kubectl("get", "clusterrolebinding", "akri-controller", "--ignore-not-found") == ""

    (items,) = yaml.safe_load_all((ROOT / "roles/akri/files/rbac.yaml").read_text())
    binding = next(item for item in items["items"] if item["kind"] == "ClusterRoleBinding")
    mark = chart_lab.home / "mark.yaml"
    mark.write_text(yaml.safe_dump(binding))
    chart_lab.kubectl("apply", "-f", str(mark))
    refused = akri(chart_lab, "main", check=False)
    chart_lab.kubectl("delete", "-f", str(mark))
    assert refused.status
    assert "by the other akri_implementation than chart" in " ".join(refused.output.split())


def test_what_was_asked_for_is_in_the_cluster(chart_lab: Lab) -> None:
    spec = chart_lab.get("-n", "akri", "daemonset", "akri-agent-daemonset")["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "mine"}]
    assert {"name": "ENABLE_DEBUG_ECHO", "value": "1"} in spec["containers"][0]["env"]
    chart_lab.kubectl("-n", "akri", "get", "daemonset", "akri-debug-echo-discovery-daemonset")
    chart_lab.kubectl("-n", "akri", "get", "deployment", "akri-controller-deployment")


def test_values_that_the_chart_does_not_read_are_refused_before_anything_changes(chart_lab: Lab) -> None:
    values = {"agent": {"host": {"crictl": "/usr/bin/crictl"}}, "controler": {"enabled": False}}
    refused = akri(chart_lab, "main", check=False, akri_chart_values=values)
    assert refused.status
    assert "agent.host.crictl is not read any more; in its place: agent.host.kubeletPodResources" in refused.output
    assert "controler is not read; did you mean controller?" in " ".join(refused.output.split())
    assert refused.changed_tasks() == []


def test_another_archive_of_the_same_version_is_a_change_with_its_difference(
    chart_lab: Lab, program: Path, tmp_path: Path
) -> None:
    """Helm alone does not see it; nor does it ever upgrade kinds."""
    other = str(
        pack(
            program,
            tmp_path,
            **{"name: ENABLE_DEBUG_ECHO": "name: ENABLED"},
        )
    )
    told = akri(chart_lab, "main", "--check", "--diff", akri_chart=other)
    assert told.changed_tasks() == [RELEASE]
    assert "ENABLED" in told.output
    assert akri(chart_lab, "main", akri_chart=other).changed_tasks() == [RELEASE]
    env = chart_lab.get("-n", "akri", "daemonset", "akri-agent-daemonset")["spec"]["template"]["spec"]["containers"][0][
        "env"
    ]
    assert "ENABLED" in {each["name"] for each in env}


def test_kinds_are_upgraded_with_the_chart(chart_lab: Lab, program: Path, tmp_path: Path) -> None:
    other = str(pack(program, tmp_path, **{"description: The device's name": "description: Its name"}))
    assert KINDS in akri(chart_lab, "main", akri_chart=other).changed_tasks()
    assert "Its name" in chart_lab.kubectl("get", "crd", "instances.akri.sh", "-o", "yaml")


def test_the_webhook_gets_a_certificate_that_the_api_server_trusts(chart_lab: Lab) -> None:
    akri(chart_lab, "main", akri_chart_webhook=True)
    name = "akri-webhook-configuration"
    data = chart_lab.get("-n", "akri", "secret", name)["data"]
    (webhook,) = chart_lab.get("validatingwebhookconfiguration", name)["webhooks"]
    served, authority = (
        x509.load_pem_x509_certificate(base64.b64decode(text))
        for text in (data["tls.crt"], webhook["clientConfig"]["caBundle"])
    )
    served.verify_directly_issued_by(authority)
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"{name}.akri.svc"]
    assert akri(chart_lab, "main", akri_chart_webhook=True).changed_tasks() == []


def test_a_release_that_failed_is_made_anew(chart_lab: Lab) -> None:
    failed = chart_lab.playbook(
        "up.yml", check=False, akri_chart_wait=True, akri_chart_timeout=1, akri_chart_prometheus=True
    )
    assert failed.status
    assert "kubernetes.core.helm could not make the release as wanted" in " ".join(failed.output.split())
    assert RELEASE in akri(chart_lab, "main").changed_tasks()
    assert akri(chart_lab, "main").changed_tasks() == []


def test_a_chart_in_the_labs_registry(registry: tuple[str, Path], archive: Path, program: Path, tmp_path: Path) -> None:
    address, ca = registry
    subprocess.run(
        [program, "push", archive, f"oci://{address}/charts", "--ca-file", ca], check=True, capture_output=True
    )
    shelf = Shelf(tmp_path / "cache", tmp_path / "charts.json", str(program))
    source = Source(f"oci://{address}/charts/akri", version="0.13.0", ca_path=str(ca))
    assert Path(present(shelf, source, {}, dry_run=False)["path"]).read_bytes() == archive.read_bytes()
    missing = Source(f"oci://{address}/charts/akri", version="9.9.9", ca_path=str(ca))
    with pytest.raises(LabError, match=r"Have Helm pull the chart oci://.* 9\.9\.9"):
        present(shelf, missing, {}, dry_run=False)


def test_configurations_go_before_their_agents_and_nothing_is_left(chart_lab: Lab, tmp_path: Path) -> None:
    """The agent beside the Wasm node holds the Configuration by its finalizer until it has let go of it."""
    wanted = {"apiVersion": "akri.sh/v0", "kind": "Configuration", "metadata": {"name": "held", "namespace": "default"}}
    file = tmp_path / "configuration.yaml"
    file.write_text(yaml.safe_dump({**wanted, "spec": {"discoveryHandler": {"name": "nobody"}, "capacity": 1}}))
    chart_lab.kubectl("apply", "-f", str(file))
    held = ("get", "configuration", "held", "-o", "jsonpath={.metadata.finalizers}")
    eventually(lambda: chart_lab.kubectl(*held), what="the agent's finalizer")
    akri(chart_lab, "absent")
    assert chart_lab.kubectl("get", "crd", "-o", "name") == ""
    assert chart_lab.kubectl("get", "namespace", "akri", "--ignore-not-found") == ""
    assert chart_lab.kubectl("get", "clusterrole", "akri-agent-role", "--ignore-not-found") == ""
    assert akri(chart_lab, "absent").recap()["changed"] == 0


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: Any) -> None:
        """Nothing: the test's output is the test's."""


@pytest.fixture
def repository(program: Path, archive: Path, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A repository of charts on loopback: its directory and its URL."""
    directory = tmp_path / "repository"
    directory.mkdir()
    (directory / archive.name).write_bytes(archive.read_bytes())
    subprocess.run([program, "repo", "index", directory], check=True, capture_output=True)
    handler = functools.partial(Quiet, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield directory, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_chart_of_a_repository_is_fetched_once_and_then_trusted(
    repository: tuple[Path, str], archive: Path, program: Path, tmp_path: Path
) -> None:
    directory, url = repository
    shelf = Shelf(tmp_path / "cache", tmp_path / "charts.json", str(program))
    source = Source("akri", url, "0.13.0")
    assert present(shelf, source, {}, dry_run=True) | {"diff": 0} == {
        "changed": True,
        "path": "",
        "crds": [],
        "diff": 0,
    }
    first = present(shelf, source, {}, dry_run=False)
    assert first["changed"]
    assert "was trusted as it came" in first["trusted"]
    assert first["name"] == "akri"
    assert {crd["metadata"]["name"] for crd in first["crds"]} == {"configurations.akri.sh", "instances.akri.sh"}
    again = present(shelf, source, {}, dry_run=False)
    assert not again["changed"]
    assert not again["trusted"]
    # The publisher serves something else under the same version, and the cache is gone.
    Path(first["path"]).unlink()
    pack(program, directory, **{"nowhere.invalid": "elsewhere.invalid"})
    subprocess.run([program, "repo", "index", directory], check=True, capture_output=True)
    with pytest.raises(LabError, match="it was not used"):
        present(shelf, source, {}, dry_run=False)
    assert not list((tmp_path / "cache").iterdir())


def test_a_digest_that_is_given_is_what_counts(
    repository: tuple[Path, str], archive: Path, program: Path, tmp_path: Path
) -> None:
    url = f"{repository[1]}/{archive.name}"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    shelf = Shelf(tmp_path / "cache", tmp_path / "charts.json", str(program))
    assert present(shelf, Source(url, sha256=digest), {}, dry_run=False)["path"].endswith(f"{digest}.tgz")
    assert not (tmp_path / "charts.json").exists()
    with pytest.raises(LabError, match=f"Its sha256 is {digest}, not 0000"):
        present(shelf, Source(url, sha256="0" * 64), {}, dry_run=False)
    with pytest.raises(LabError, match=f"Its sha256 is {digest}, not 0000"):
        present(shelf, Source(str(archive), sha256="0" * 64), {}, dry_run=False)


def test_what_is_no_chart_is_told(tmp_path: Path) -> None:
    file = tmp_path / "chart.tgz"
    file.write_text(json.dumps({"no": "archive"}))
    with pytest.raises(LabError, match="It is not the archive of a chart"):
        read(file)
    shelf = Shelf(tmp_path / "cache", tmp_path / "charts.json", "/nowhere/helm")
    with pytest.raises(LabError, match="It is not a file"):
        present(shelf, Source(str(tmp_path)), {}, dry_run=False)
