"""What MicroK8s is asked for and what its answers mean: the snap, its addons, the arguments of its services."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _microk8s as microk8s
from ansible_collections.edgelab.akri.plugins.module_utils import _microk8s_addons as addons
from ansible_collections.edgelab.akri.plugins.module_utils import _microk8s_arguments as arguments
from ansible_collections.edgelab.akri.plugins.module_utils import _microk8s_snap as snap
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s import Done, Host, Record, Status
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s_addons import Addon, Step
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s_snap import Snap, Wanted
from edgelab.core.errors import LabError

LAB = "/home/ada/.local/state/edgelab/default"
READY = """\
microk8s:
  running: True
high-availability:
  enabled: True
  nodes:
    - address: 192.168.1.7:19001
      role: voter
addons:
  - name: dns
    repository: core
    description: CoreDNS
    version: 1.13.1
    status: enabled
  - name: rbac
    repository: core
    description: Role-Based Access Control for authorisation
    version:
    status: disabled
"""
STARTING = """\
microk8s:
  running: False
high-availability:
  enabled: False
  message: microk8s is not running. Use microk8s inspect for a deeper inspection.
"""
KNOWN = {"core/dns": True, "core/rbac": False, "core/community": False, "core/dashboard": False}
API_SERVER = """\
--secure-port=16443
--authorization-mode=AlwaysAllow
--service-account-issuer='https://kubernetes.default.svc'

# Enable the aggregation layer
--allow-privileged true
--profiling
"""


def said(out: str, code: int = 0) -> Done:
    return Done(("microk8s", "status"), code, out, "")


def test_status_is_what_microk8s_says() -> None:
    assert microk8s.parse_status(said(READY)) == Status(running=True, addons={"core/dns": True, "core/rbac": False})


@pytest.mark.parametrize("out", [STARTING, "microk8s is not running, try microk8s start\n"])
def test_one_that_starts_or_is_stopped_does_not_run_and_tells_no_addons(out: str) -> None:
    assert microk8s.parse_status(said(out, 1)) == Status(running=False, addons={})


def test_an_answer_that_is_none_is_shown() -> None:
    with pytest.raises(LabError, match="Insufficient permissions to access MicroK8s"):
        microk8s.parse_status(said("Insufficient permissions to access MicroK8s.\n", 1))


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--secure-port", "16443"),
        ("--service-account-issuer", "https://kubernetes.default.svc"),
        ("--allow-privileged", "true"),
        ("--profiling", "true"),
        ("--secure", None),
        ("--enable-bootstrap-token-auth", None),
    ],
)
def test_a_value_is_read_as_kubelite_reads_it(flag: str, value: str | None) -> None:
    assert arguments.value_of(API_SERVER, flag) == value


def test_of_two_lines_the_later_one_counts() -> None:
    assert arguments.value_of("--v=1\n--v 2\n", "--v") == "2"


def test_a_value_that_is_there_changes_nothing_however_it_is_written() -> None:
    for flag, value in (("--allow-privileged", "true"), ("--service-account-issuer", "https://kubernetes.default.svc")):
        assert arguments.with_value(API_SERVER, flag, value) == API_SERVER


def test_another_value_takes_the_line_s_place() -> None:
    expected = API_SERVER.replace("AlwaysAllow", "RBAC,Node")
    assert arguments.with_value(API_SERVER, "--authorization-mode", "RBAC,Node") == expected


def test_a_new_argument_is_put_once_however_often_it_is_asked_for() -> None:
    once = arguments.with_value(API_SERVER, "--enable-bootstrap-token-auth", "true")
    assert once == API_SERVER + "--enable-bootstrap-token-auth=true\n"
    assert arguments.with_value(once, "--enable-bootstrap-token-auth", "true") == once


def test_repeated_lines_become_one() -> None:
    repeated = "--a=1\n--b=2\n--a=3\n--c=4\n--a=3\n"
    assert arguments.with_value(repeated, "--a", "3") == "--a=3\n--b=2\n--c=4\n"
    assert arguments.with_value(repeated, "--a", None) == "--b=2\n--c=4\n"


class Machine:
    """A machine with args files, whose commands are listed and do nothing; `fails` names one that does not work."""

    def __init__(self, root: Path) -> None:
        self.args = root / "args"
        self.args.mkdir()
        (self.args / "kube-apiserver").write_text(API_SERVER)
        self.commands: list[str] = []
        self.fails = ""
        self.host = Host(run=self.run, data=root, record=root / "lib/record.json")

    def run(self, *argv: str) -> Done:
        self.commands.append(" ".join(argv))
        failed = bool(self.fails) and self.fails in self.commands[-1]
        return Done(argv, int(failed), STARTING if failed else READY, "it failed" if failed else "")

    @property
    def restarts(self) -> int:
        return self.commands.count("snap restart microk8s.daemon-kubelite")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


WANTED = {"kube-apiserver": {"--authorization-mode": "RBAC,Node", "--enable-bootstrap-token-auth": "true"}}


def test_arguments_are_set_with_one_restart_and_put_back_as_they_were(machine: Machine) -> None:
    record = machine.host.recorded(LAB)
    result = arguments.ensure(machine.host, record, WANTED, wait=1, dry_run=False)
    assert result["changed"]
    assert machine.restarts == 1
    again = arguments.ensure(machine.host, machine.host.recorded(LAB), WANTED, wait=1, dry_run=False)
    assert not again["changed"]
    assert machine.restarts == 1
    arguments.restore(machine.host, machine.host.recorded(LAB), wait=1)
    assert (machine.args / "kube-apiserver").read_text() == API_SERVER


def test_what_was_there_before_the_lab_survives_a_second_change(machine: Machine) -> None:
    for mode in ("RBAC", "RBAC,Node"):
        wanted = {"kube-apiserver": {"--authorization-mode": mode}}
        arguments.ensure(machine.host, machine.host.recorded(LAB), wanted, wait=1, dry_run=False)
    assert machine.host.recorded(LAB).arguments == {"kube-apiserver": {"--authorization-mode": "AlwaysAllow"}}


def test_an_argument_that_is_not_given_any_more_is_put_back(machine: Machine) -> None:
    more = {"kube-apiserver": {**WANTED["kube-apiserver"], "--secure-port": "443", "--v": "4"}}
    arguments.ensure(machine.host, machine.host.recorded(LAB), more, wait=1, dry_run=False)
    assert arguments.ensure(machine.host, machine.host.recorded(LAB), WANTED, wait=1, dry_run=False)["changed"]
    text = (machine.args / "kube-apiserver").read_text()
    assert [arguments.value_of(text, flag) for flag in ("--secure-port", "--v")] == ["16443", None]
    assert not arguments.ensure(machine.host, machine.host.recorded(LAB), WANTED, wait=1, dry_run=False)["changed"]


def test_a_run_that_was_cut_off_before_the_restart_is_made_good(machine: Machine) -> None:
    machine.fails = "snap restart"
    with pytest.raises(LabError, match="it failed"):
        arguments.ensure(machine.host, machine.host.recorded(LAB), WANTED, wait=1, dry_run=False)
    machine.fails = ""
    assert arguments.ensure(machine.host, machine.host.recorded(LAB), WANTED, wait=1, dry_run=True)["changed"]
    assert arguments.ensure(machine.host, machine.host.recorded(LAB), WANTED, wait=1, dry_run=False)["changed"]
    assert machine.restarts == 2
    assert machine.host.recorded(LAB).unsettled == []


def test_check_mode_writes_and_restarts_nothing(machine: Machine) -> None:
    result = arguments.ensure(machine.host, machine.host.recorded(LAB), WANTED, wait=1, dry_run=True)
    assert result["changed"]
    assert (machine.args / "kube-apiserver").read_text() == API_SERVER
    assert machine.commands == []
    assert not machine.host.record.exists()


def test_a_file_of_arguments_keeps_its_mode(machine: Machine) -> None:
    (machine.args / "kube-apiserver").chmod(0o660)
    arguments.ensure(machine.host, machine.host.recorded(LAB), WANTED, wait=1, dry_run=False)
    assert (machine.args / "kube-apiserver").stat().st_mode & 0o777 == 0o660


def test_a_flag_that_has_to_be_there_is_missed_by_name(machine: Machine) -> None:
    with pytest.raises(LabError, match="has no --cluster-signing-key-file"):
        arguments.refuse_missing(machine.host, {"kube-apiserver": ["--secure-port", "--cluster-signing-key-file"]})


def test_another_lab_is_refused_and_told_whose_it_is(machine: Machine) -> None:
    machine.host.remember(Record("/home/eve/lab"))
    with pytest.raises(LabError, match="/home/eve/lab"):
        machine.host.recorded(LAB)


def test_a_record_that_cannot_be_read_is_named(machine: Machine) -> None:
    machine.host.record.parent.mkdir()
    machine.host.record.write_text('{"laboratory": 1}')
    with pytest.raises(LabError, match=str(machine.host.record)):
        machine.host.recorded(LAB)


def steps(*asked: Addon, record: Record | None = None, enabled: bool = True) -> list[tuple[str, str]]:
    plan = addons.plan(Status(running=True, addons=KNOWN), record or Record(LAB), asked, enabled=enabled)
    return [(step.verb, str(step.addon)) for step in plan]


def test_only_what_differs_is_enabled_or_disabled() -> None:
    assert steps(Addon("dns"), Addon("core/rbac")) == [("enable", "core/rbac")]
    assert steps(Addon("dns"), Addon("rbac"), enabled=False) == [("disable", "dns")]


def test_an_unknown_addon_is_refused_before_anything_is_changed() -> None:
    with pytest.raises(LabError, match=r"addon argocd\. There are only: core/community"):
        steps(Addon("rbac"), Addon("argocd"))


def test_addons_of_the_community_may_follow_it() -> None:
    assert steps(Addon("community"), Addon("argocd")) == [("enable", "community"), ("enable", "argocd")]


def test_an_unknown_addon_is_disabled_already() -> None:
    assert steps(Addon("argocd"), enabled=False) == []


def test_other_arguments_renew_what_the_lab_enabled_and_nothing_else() -> None:
    ours = Record(LAB, addons={"core/dns": {"arguments": ["1.1.1.1"], "disable_arguments": []}})
    assert steps(Addon("dns", ("9.9.9.9",)), record=ours) == [("renew", "dns 9.9.9.9")]
    assert steps(Addon("dns", ("1.1.1.1",)), record=ours) == []
    assert steps(Addon("dns", ("9.9.9.9",))) == []


def test_a_name_in_two_repositories_has_to_say_which() -> None:
    known = {"core/dns": True, "mine/dns": False}
    with pytest.raises(LabError, match="core/dns, mine/dns"):
        addons.full_name("dns", known)
    assert addons.full_name("mine/dns", known) == "mine/dns"


def test_an_addon_that_does_not_come_is_told_with_what_microk8s_said(machine: Machine) -> None:
    clock = iter(range(100))
    host = Host(run=machine.run, record=machine.host.record, now=lambda: next(clock), sleep=lambda _seconds: None)
    with pytest.raises(LabError, match="does not show it as enabled after 3 seconds"):
        addons.ensure(host, Record(LAB), [Addon("rbac")], enabled=True, wait=3, dry_run=False)
    assert json.loads(host.record.read_text())["addons"] == {"core/rbac": {"arguments": [], "disable_arguments": []}}


def test_the_diff_of_addons_tells_before_and_after() -> None:
    record = Record(LAB, addons={"core/dns": {"arguments": ["1.1.1.1"], "disable_arguments": []}})
    plan = [Step("enable", Addon("rbac")), Step("renew", Addon("dns", ("9.9.9.9",))), Step("disable", Addon("x"))]
    diff = addons._diff(plan, record)
    assert diff["before"] == "rbac: disabled\ndns: enabled 1.1.1.1\nx: enabled\n"
    assert diff["after"] == "rbac: enabled\ndns: enabled 9.9.9.9\nx: disabled\n"


LISTED = """\
Name      Version  Rev   Tracking     Publisher    Notes
microk8s  v1.35.1  8511  1.35/stable  canonical**  {notes}
"""


@pytest.mark.parametrize(
    ("notes", "held", "disabled"),
    [("classic", False, False), ("classic,held", True, False), ("disabled,classic", False, True)],
)
def test_the_snap_is_as_listed(notes: str, held: bool, disabled: bool) -> None:
    assert snap.parse_list(LISTED.format(notes=notes)) == Snap("v1.35.1", "1.35/stable", held, disabled)


def test_a_list_without_it_has_none() -> None:
    assert snap.parse_list("Name  Version  Rev  Tracking  Publisher  Notes\n") is None


WANTED_SNAP = Wanted("1.35/stable", refresh=False, hold=True, users=("ada",))
FOUND = Snap("v1.35.1", "1.35/stable", held=True, disabled=False)
INSTALL = "snap install microk8s --classic --channel=1.35/stable"
HOLD = "snap refresh --hold=forever microk8s"
JOIN = "usermod -aG microk8s ada"


def planned(found: Snap | None, wanted: Wanted = WANTED_SNAP, *, ours: bool = False) -> list[str]:
    record = Record(LAB, installed=ours, held=ours)
    return [" ".join(command) for command in snap.plan(found, wanted, record, members=["root"])]


def test_nothing_there_is_installed_held_and_shared() -> None:
    assert planned(None) == [INSTALL, HOLD, JOIN]


def test_what_is_as_wanted_stays() -> None:
    assert planned(FOUND, Wanted("1.35/stable", refresh=False, hold=True, users=("root",))) == []


def test_a_disabled_snap_is_enabled() -> None:
    assert planned(Snap("v1.35.1", "1.35/stable", held=True, disabled=True)) == ["snap enable microk8s", JOIN]


def test_a_found_one_changes_its_channel_on_request_alone() -> None:
    other = Snap("v1.33.8", "1.33/stable", held=True, disabled=False)
    with pytest.raises(LabError, match=r"microk8s_host_channel: 1\.33/stable.*microk8s_host_refresh: true"):
        planned(other)
    refresh = ["snap refresh microk8s --channel=1.35/stable", JOIN]
    assert planned(other, Wanted("1.35/stable", refresh=True, hold=True, users=("ada",))) == refresh
    assert planned(other, ours=True) == refresh


def test_a_hold_of_others_stays_and_the_lab_s_own_ends() -> None:
    free = Wanted("1.35/stable", refresh=False, hold=False, users=())
    assert planned(FOUND, free) == []
    assert planned(FOUND, free, ours=True) == ["snap refresh --unhold microk8s"]


NOW = {"wait": 1, "dry_run": False}


def a_host(machine: Machine, listed: str) -> Host:
    def run(*argv: str) -> Done:
        done = machine.run(*argv)
        return Done(argv, done.code, listed, done.err) if argv[:2] == ("snap", "list") else done

    answering: Callable[..., Done] = run
    return Host(run=answering, data=machine.host.data, record=machine.host.record)


def test_arguments_that_microk8s_did_not_start_with_are_put_back_before_anybody_waits(machine: Machine) -> None:
    host = a_host(machine, LISTED.format(notes="classic,held"))
    wrong = {"kube-apiserver": {"--no-such-flag": "1"}}
    machine.fails = "status"
    with pytest.raises(LabError):
        arguments.ensure(host, host.recorded(LAB), wrong, wait=1, dry_run=False)
    machine.fails = ""
    result = snap.present(host, Path(LAB), Wanted("1.35/stable", refresh=False, hold=True, users=("root",)), **NOW)
    assert result["changed"]
    assert (machine.args / "kube-apiserver").read_text() == API_SERVER
    assert machine.commands.index("snap restart microk8s.daemon-kubelite") < len(machine.commands) - 1
    assert host.recorded(LAB).unsettled == []


def test_absent_removes_what_the_lab_installed_and_forgets_it(machine: Machine) -> None:
    host = a_host(machine, LISTED.format(notes="classic"))
    host.remember(Record(LAB, installed=True, held=True))
    result = snap.absent(host, Path(LAB), wait=1, dry_run=False)
    assert (result["changed"], result["undoes"]) == (True, "all")
    assert "snap remove --purge microk8s" in machine.commands
    assert not host.record.parent.exists()


def test_absent_leaves_a_found_one_and_undoes_the_lab_s_changes(machine: Machine) -> None:
    host = a_host(machine, LISTED.format(notes="classic,held"))
    host.remember(
        Record(
            LAB,
            held=True,
            addons={"core/dns": {"arguments": [], "disable_arguments": []}},
            arguments={"kube-apiserver": {"--secure-port": "443"}},
        )
    )
    machine.fails = "disable core/dns"
    with pytest.raises(LabError, match="Disable MicroK8s' addon core/dns"):
        snap.absent(host, Path(LAB), wait=1, dry_run=False)
    assert arguments.value_of((machine.args / "kube-apiserver").read_text(), "--secure-port") == "443"
    assert not any("remove" in command for command in machine.commands)
    assert host.recorded(LAB).addons  # what is left to undo stays known


def test_absent_touches_nothing_of_another_lab(machine: Machine) -> None:
    host = a_host(machine, LISTED.format(notes="classic"))
    host.remember(Record("/home/eve/lab", installed=True))
    assert not snap.absent(host, Path(LAB), wait=1, dry_run=False)["changed"]
    assert machine.commands == []
