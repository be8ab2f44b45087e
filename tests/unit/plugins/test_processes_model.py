"""What is decided about a process, and what supervisord reads of it."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _processes_model as subject
from ansible_collections.edgelab.akri.plugins.module_utils import _processes_ready as ready
from hypothesis import given
from hypothesis import strategies as st
from supervisor.options import ServerOptions, UnhosedConfigParser

PLACES = subject.Places(Path("/lab/100%/state"), Path("/lab/run"))
ETCD = subject.Process("etcd", ("etcd",))


@pytest.mark.parametrize(
    ("found", "action"),
    [
        (subject.Found(), "start"),
        (subject.Found("conf", "RUNNING", "print", alive=True), "keep"),
        (subject.Found("conf", "STARTING", "print", alive=False), "keep"),
        (subject.Found("other", "RUNNING", "print", alive=True), "restart"),
        (subject.Found("conf", "RUNNING", "other", alive=True), "restart"),
        (subject.Found("conf", "RUNNING", None, alive=False), "restart"),
        (subject.Found("conf", "BACKOFF", "print", alive=False), "start"),
        (subject.Found("conf", "FATAL", "print", alive=False), "start"),
        (subject.Found("conf", "STOPPED", "print", alive=False), "start"),
        (subject.Found("conf", None, "print", alive=True), "adopt"),
        (subject.Found("other", None, "print", alive=True), "adopt"),
        (subject.Found("conf", None, "other", alive=True), "restart"),
        (subject.Found("conf", None, "other", alive=False), "start"),
    ],
)
def test_action(found: subject.Found, action: str) -> None:
    assert subject.decide(ETCD, "conf", "print", found).action == action


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
awkward = st.text(" ;#%'\"\\$=ab", max_size=12)


@given(st.lists(printable | awkward, max_size=4), st.dictionaries(st.sampled_from(["A", "B_C"]), printable | awkward))
def test_supervisord_reads_what_was_given(words: list[str], environment: dict[str, str]) -> None:
    process = subject.Process("etcd", ("prog", *words), environment)
    try:
        process.check()
    except ValueError:
        return  # refused with a message, which other tests look at
    read = read_by_supervisord(subject.program_section(process, PLACES, ["hold"], "print"))
    command = shlex.split(read.command)
    assert command[command.index("--") + 1 :] == ["prog", *words]
    assert {name: read.environment[name] for name in environment} == environment


def test_hold_is_told_of_another_signal_only() -> None:
    usual = subject.program_section(subject.Process("etcd", ("x",)), PLACES, ["hold"], "print")
    other = subject.program_section(subject.Process("etcd", ("x",), stop_signal="INT"), PLACES, ["hold"], "print")
    assert "--stop-signal" not in usual
    assert "--stop-signal INT" in other


def read_by_supervisord(text: str) -> Any:
    """The one program of a configuration as supervisord understands it."""
    parser = UnhosedConfigParser()
    parser.read_string(text)
    parser.expansions = {}
    (config,) = ServerOptions().processes_from_section(parser, "program:etcd", "etcd")
    return config


def test_supervisord_is_told_to_restart_for_ever_but_to_start_nothing_by_itself() -> None:
    config = read_by_supervisord(subject.program_section(ETCD, PLACES, ["hold"], "print"))
    assert config.autostart is False
    assert config.autorestart is not False
    assert config.startretries >= subject.START_RETRIES
    assert config.stopwaitsecs > ETCD.stop_seconds
    assert config.directory == "/lab/100%/state"


@pytest.mark.parametrize(
    ("process", "said"),
    [
        (subject.Process("../etcd", ("x",)), "is not a process name"),
        (subject.Process("etcd", ("a\nb",)), "line break"),
        (subject.Process("etcd", ("x",), {"A": 'say "x"'}), "variable A cannot"),
        (subject.Process("etcd", ("x",), {"A-B": "x"}), "variable A-B cannot"),
        (subject.Process("etcd", ("x",), {"A": "a ;b"}), "variable A cannot"),
    ],
)
def test_what_supervisord_cannot_express_is_refused(process: subject.Process, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        process.check()


def test_difference_shows_no_values_of_the_environment() -> None:
    process = subject.Process("etcd", ("etcd",), {"TOKEN": "hunter2"})
    text = subject.program_section(process, PLACES, ["hold"], "print")
    step = subject.decide(process, text, "print", subject.Found("x=1", "RUNNING", "old", alive=True))
    shown = subject.difference([step], starts_supervisor=False)
    assert "hunter2" not in str(shown)
    assert 'environment=TOKEN="..."' in shown["after"]
    assert shown["before"].startswith("etcd: RUNNING\nx=1")


def test_what_stays_is_not_in_the_difference() -> None:
    step = subject.decide(ETCD, "conf", "print", subject.Found("conf", "RUNNING", "print", alive=True))
    assert subject.difference([step], starts_supervisor=False) == {"before": "", "after": ""}


@pytest.mark.parametrize(
    ("line", "ports"),
    [
        ("listen tcp 127.0.0.1:2379: bind: address already in use", {2379}),
        ("error while attempting to bind on address ('127.0.0.1', 8080): address already in use", {8080}),
        ("[Errno 98] Address already in use", set()),
        ("listening on 127.0.0.1:2379", set()),
    ],
)  # fmt: skip
def test_ports_that_a_log_calls_taken(line: str, ports: set[int]) -> None:
    assert ready.ports_in_use(f"before\n{line}\n") == ports


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (subject.Ready(https="https://127.0.0.1:6443/readyz"), "tcp:6443"),
        (subject.Ready(tcp="127.0.0.1:80"), "tcp:80"),
        (subject.Ready(unix="/run/x.sock"), "unix:/run/x.sock"),
        (subject.Ready(status="/run/y.sock"), "unix:/run/y.sock"),
    ],
)
def test_address(given: subject.Ready, address: str) -> None:
    assert ready.address(given) == address
