"""The workflows' own programs, and what every workflow has to keep to."""

import json
import re
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import drift
import evidence
import gce_variables
import pytest
import trial
import versions
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
PLANTED = {
    JWT: f"Authorization: Bearer {JWT}",
    "abcdef.0123456789abcdef": "  token: abcdef.0123456789abcdef",
    "bm90IGEga2V5IGJ1dCBsb25n": "    client-key-data: bm90IGEga2V5IGJ1dCBsb25n",
    "hunter2hunter2": '{"password": "hunter2hunter2"}',
    "MIIEvQIBADANBg": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
    "ghp_0123456789abcdefgh": "remote: ghp_0123456789abcdefgh",
    "ZWRnZWxhYjpzZWNyZXQ=": "authorization = 'Basic ZWRnZWxhYjpzZWNyZXQ='",
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_github_s_own_and_pinned_by_commit(path: Path) -> None:
    uses = re.findall(r"uses: (\S+)( # v[\d.]+)?", path.read_text())
    assert uses
    for action, version in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action)
        assert version, f"{action} does not say which release that is"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_rights_are_to_read_unless_a_job_says_more_and_each_job_ends(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 120
        assert set(job.get("permissions", {})) <= {"contents", "issues", "id-token"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_others_write_never_becomes_shell(path: Path) -> None:
    """Inputs, titles and secrets reach programs by the environment only."""
    steps = [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]
    for command in (step.get("run", "") for step in steps):
        assert not re.search(r"\$\{\{[^}]*(inputs|secrets|github\.event|github\.head_ref)", command)


def test_no_secret_gets_into_evidence() -> None:
    text = "\n".join(PLANTED.values())
    hidden = evidence.redacted(f"before\n{text}\nafter")
    assert [secret for secret in PLANTED if secret in hidden] == []
    assert hidden.startswith("before\n")
    assert hidden.endswith("\nafter")


def test_what_is_no_secret_stays() -> None:
    told = "pod/akri-agent-daemonset-x7k2p Running\nakri.sh/akri-debug-echo-aae70c: 2\nserviceAccountToken:\n"
    assert evidence.redacted(told) == told


def test_evidence_is_an_archive_even_where_there_is_no_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = tmp_path / "edgelab/mine/log"
    logs.mkdir(parents=True)
    (logs / "agent.log").write_text(f"got {JWT}\n")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["evidence.py", "--lab", "mine", "--archive", str(tmp_path / "e.tar.gz")])
    monkeypatch.setattr(evidence, "said", lambda command: f"{command[0]} said nothing\n")
    assert evidence.main() == 0
    with tarfile.open(tmp_path / "e.tar.gz") as archive:
        names = archive.getnames()
        log = archive.extractfile("evidence/log-agent.txt")
        assert log is not None
        assert log.read() == b"got <token>\n"
    assert "evidence/cluster-events.txt" in names


RECAP = "PLAY RECAP ****\n{host} : ok=5    changed={changed}    unreachable=0    failed=0    skipped=0\n"
PLAYBOOK = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
case "$*" in
  *{failing}*) echo "fatal: password: hunter2hunter2"; exit 2 ;;
esac
printf 'localhost : ok=5    changed={changed}    unreachable=0\\n'
"""


@pytest.mark.parametrize(("changed", "passes"), [(0, True), (1, False)])
def test_a_second_run_has_to_change_nothing_on_any_host(changed: int, passes: bool) -> None:
    recap = RECAP.format(host="localhost", changed=0) + RECAP.format(host="edgelab-default", changed=changed)
    done = subprocess.CompletedProcess(["ansible-playbook"], 0, recap)
    assert trial.nothing_changed(done) is passes
    assert not trial.nothing_changed(subprocess.CompletedProcess(["ansible-playbook"], 0, "no recap"))


def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, *, keep: bool = False) -> list[str]:
    """What a trial runs with a playbook command that fails where `failing` is on its command line."""
    program = tmp_path / "ansible-playbook"
    program.write_text(PLAYBOOK.format(log=tmp_path / "calls", failing=failing, changed=0))
    program.chmod(0o755)
    monkeypatch.setattr(trial.sys, "executable", str(tmp_path / "python"))
    options = ["--provider", "kind", "--demo", "one", "--demo", "two", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(trial.sys, "argv", ["trial.py", *options, *(["--keep"] if keep else [])])
    passed = trial.main() == 0
    assert passed is json.loads((tmp_path / "out/report.json").read_text())["passed"]
    return [line.split()[-1] for line in (tmp_path / "calls").read_text().splitlines()]


SITE, DOWN, EVIDENCE = "site.yml", "playbooks/down.yml", "playbooks/evidence.yml"


def test_a_trial_shows_each_demo_twice_and_takes_the_lab_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(tmp_path, monkeypatch, "nowhere") == [SITE, SITE, SITE, SITE, DOWN]
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["passed"]
    assert [stage["name"] for stage in report["stages"]][-1] == "down"


def test_a_lab_that_works_can_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(tmp_path, monkeypatch, "nowhere", keep=True) == [SITE, SITE, SITE, SITE]


def test_a_failed_trial_is_looked_into_and_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if it was to stay; what it said is told without secrets."""
    assert tried(tmp_path, monkeypatch, "lab_demo=two", keep=True) == [SITE, SITE, SITE, EVIDENCE, DOWN]
    report = (tmp_path / "out/report.md").read_text()
    assert "| demo two | **failed** |" in report
    assert "fatal: password: <hidden>" in report
    assert "hunter2" not in (tmp_path / "out/demo-two.log").read_text()


def report(name: str, *, passed: bool) -> dict[str, Any]:
    return {"name": name, "passed": passed, "stages": [{"name": "demo", "passed": passed, "seconds": 9, "said": ""}]}


def test_a_missing_report_is_a_failure_too() -> None:
    reports = [report("local", passed=True), report("kind", passed=False)]
    assert drift.failures(reports, ["local", "kind", "microk8s"]) == [
        "microk8s: came not so far as to write a report",
        "kind: demo failed after 9 s",
    ]


GH = """#!{python}
import json, sys
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1:3] == ["issue", "list"]:
    print({issues!r})
"""


@pytest.mark.parametrize(
    ("issues", "passed", "verbs"),
    [
        ([], True, []),
        ([], False, ["label create", "issue create"]),
        ([{"number": 7}], False, ["issue comment"]),
        ([{"number": 7}], True, ["issue close"]),
    ],
)
def test_one_issue_tells_whether_runs_fail(
    issues: list[dict[str, int]],
    passed: bool,
    verbs: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = tmp_path / "calls"
    program = tmp_path / "gh"
    program.write_text(GH.format(python=sys.executable, calls=str(calls), issues=json.dumps(issues)))
    program.chmod(0o755)
    (tmp_path / "reports/report-local").mkdir(parents=True)
    (tmp_path / "reports/report-local/report.json").write_text(json.dumps(report("local", passed=passed)))
    monkeypatch.setenv("PATH", str(tmp_path))
    options = ["--label", "scheduled", "--title", "It fails", "--run", "https://example.org/1", "--expect", "local"]
    monkeypatch.setattr(sys, "argv", ["drift.py", *options, str(tmp_path / "reports")])
    drift.main()
    made = [json.loads(line) for line in calls.read_text().splitlines()]
    assert [" ".join(call[:2]) for call in made] == ["issue list", *verbs]
    if not passed:
        assert "- local: demo failed after 9 s" in made[-1][-1]


def test_the_matrix_has_what_the_collection_allows() -> None:
    cores = {row["ansible"] for row in versions.supported(">=2.20.0")}
    assert "2.19" not in cores
    assert {"ansible": "2.19", "python": "3.11"} in versions.supported(">=2.19.0")


DOCUMENTS = {
    "akri": "entries: {akri: [{version: 0.13.8}, {version: 0.14.1}, {version: 0.9.1}, {version: 0.15.0-rc1}]}",
    "kubernetes": "v1.99.0\n",
    "kind": '{"tag_name": "v0.99.0"}',
    "microk8s": json.dumps(
        {
            "channel-map": [
                {"channel": {"track": track, "risk": risk}}
                for track, risk in [("1.9", "stable"), ("1.37", "stable"), ("1.38", "edge"), ("latest", "stable")]
            ]
        }
    ),
}


def test_the_newest_versions_come_with_the_variables_that_choose_them(tmp_path: Path) -> None:
    known = {**versions.pinned(), "akri": "0.14.1"}
    rows = versions.write(tmp_path, versions.newest(DOCUMENTS, known))
    assert [(row["component"], row["version"], row["provider"]) for row in rows] == [
        ("kubernetes", "v1.99.0", "local"),
        ("kind", "v0.99.0", "kind"),
        ("microk8s", "1.37/stable", "microk8s"),
    ]
    pins = json.loads((tmp_path / "kubernetes.json").read_text())["binaries_pins"]
    assert pins["kube-apiserver"]["url"] == "https://dl.k8s.io/release/v1.99.0/bin/linux/{arch}/{name}"
    assert pins["kube-apiserver"]["sha256"] == {"amd64": "", "arm64": ""}


def test_what_is_pinned_is_not_tried_again() -> None:
    known = {"akri": "0.14.1", "kubernetes": "v1.99.0", "kind": "v0.99.0", "microk8s": "1.37/stable"}
    assert versions.newest(DOCUMENTS, known) == []


def test_a_key_is_used_as_it_is_and_an_identity_without_one(tmp_path: Path) -> None:
    assert gce_variables.credentials_of({"GCP_SA_KEY": '{"type": "service_account"}'}) == {"type": "service_account"}
    identity = gce_variables.credentials_of(
        {
            "GCP_WORKLOAD_IDENTITY_PROVIDER": "projects/1/locations/global/workloadIdentityPools/p/providers/g",
            "GCP_SERVICE_ACCOUNT": "lab@p.iam.gserviceaccount.com",
            "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.example/?v=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "asked",
        }
    )
    assert identity["type"] == "external_account"
    assert identity["credential_source"]["url"].endswith("&audience=https:" + identity["audience"])
    gce_variables.write(tmp_path / "credentials.json", identity)
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600


def test_an_instance_outlives_its_run_only_as_long_as_was_said() -> None:
    given = {"GCP_PROJECT": "p", "KEEP_HOURS": "3", "SSH_RANGE": "203.0.113.7/32"}
    variables = gce_variables.variables_of(given, "198.51.100.4", Path("/c.json"))
    assert variables["gce_host_keep_hours"] == 5
    assert variables["gce_host_ssh_ranges"] == ["198.51.100.4/32", "203.0.113.7/32"]
    assert gce_variables.variables_of({"GCP_PROJECT": "p"}, "198.51.100.4", Path("/c"))["gce_host_keep_hours"] == 2
