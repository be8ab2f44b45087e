"""A discovery handler is registered, kept or forgotten: the module's logic against an agent's real status socket."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _handlers
from ansible_collections.edgelab.akri.plugins.module_utils._handlers import Agent, Wanted
from edgelab.core.errors import LabError
from edgelab.service.status import serve_status

SELF = {
    "name": "debugEcho",
    "endpoint": "/run/debugEcho.sock",
    "endpoint_type": "UDS",
    "shared": True,
    "kept": False,
    "connected": True,
    "used_by": ["default/echo"],
    "error": "",
}


@dataclass
class Registry:
    """The handlers that an agent knows."""

    known: list[dict[str, Any]] = field(default_factory=list)

    async def status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"ready": True, "handlers": self.known}

    async def keep(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        given = {key: value for key, value in request.items() if key != "op"}
        self.known = [entry for entry in self.known if entry["endpoint"] != given["endpoint"]]
        self.known.append({**SELF, "used_by": [], **given, "kept": True})
        return {"changed": True}

    async def forget(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.known = [entry for entry in self.known if entry["endpoint"] != request["endpoint"]]
        return {"changed": True}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An agent's status socket in tmp_path, served by a thread."""
    registry, started = Registry(), threading.Event()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        operations = {"status": registry.status, "keep": registry.keep, "forget": registry.forget}
        async with serve_status(tmp_path / "agent.sock", operations):
            started.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(5)
    yield registry
    loop.call_soon_threadsafe(done.set)
    thread.join()
    loop.close()


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[str]:
    """A socket that accepts a connect."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "http.sock"))
        server.listen()
        yield str(tmp_path / "http.sock")


def never(_seconds: float) -> None:
    raise AssertionError("nothing is to be waited for")


def ensure(agent: Agent, wanted: Wanted, *, dry_run: bool = False) -> dict[str, Any]:
    return _handlers.ensure_present(agent, wanted, dry_run=dry_run, sleep=never)


def test_a_handler_that_registered_itself_is_found(registry: Registry, agent: Agent) -> None:
    registry.known = [SELF]
    result = ensure(agent, Wanted("debugEcho"))
    assert (result["changed"], result["handler"]) == (False, SELF)


def test_one_that_is_late_is_waited_for(registry: Registry, agent: Agent) -> None:
    def meanwhile(_seconds: float) -> None:
        registry.known = [SELF]

    result = _handlers.ensure_present(agent, Wanted("debugEcho"), dry_run=False, sleep=meanwhile)
    assert result["handler"] == SELF


def test_one_that_never_comes_is_told_with_what_was_seen(registry: Registry, agent: Agent) -> None:
    registry.known = [SELF]
    moments = iter(range(100))
    with pytest.raises(LabError, match=r"Wait 3 s for discovery handler http .*debugEcho at /run/debugEcho.sock"):
        _handlers.ensure_present(
            agent, Wanted("http", timeout=3), dry_run=False, clock=lambda: next(moments), sleep=lambda _: None
        )


def test_check_mode_does_not_wait(registry: Registry, agent: Agent) -> None:
    assert ensure(agent, Wanted("http"), dry_run=True)["changed"] is False


def test_keeping_is_idempotent_and_can_be_undone(registry: Registry, agent: Agent, listening: str) -> None:
    wanted = Wanted("http", listening, keep=True)
    steps: list[Callable[[bool], dict[str, Any]]] = [
        lambda dry: ensure(agent, wanted, dry_run=dry),
        lambda dry: _handlers.ensure_absent(agent, wanted, dry_run=dry),
    ]
    for step in steps:
        foretold, real, again = step(True), step(False), step(False)
        assert (foretold["changed"], real["changed"], again["changed"]) == (True, True, False)
        assert foretold["diff"] == real["diff"]


@pytest.mark.parametrize("change", [{"shared": True}, {"endpoint_type": "NETWORK"}])
def test_a_kept_handler_that_differs_is_kept_anew(change: dict[str, Any]) -> None:
    found = {**SELF, "kept": True, "shared": False}
    assert not _handlers.needs_keeping(found, Wanted("debugEcho", SELF["endpoint"], keep=True))
    assert _handlers.needs_keeping({**found, **change}, Wanted("debugEcho", SELF["endpoint"], keep=True))


def test_nothing_that_does_not_listen_is_kept(registry: Registry, agent: Agent, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="Start it first"):
        ensure(agent, Wanted("http", str(tmp_path / "nobody.sock"), keep=True))
    assert registry.known == []


def test_one_that_registered_itself_cannot_be_taken_back(registry: Registry, agent: Agent) -> None:
    registry.known = [SELF]
    with pytest.raises(LabError, match="It registered itself"):
        _handlers.ensure_absent(agent, Wanted("debugEcho"), dry_run=False)


def test_without_our_agent_it_is_refused_with_the_reason(agent: Agent) -> None:
    with pytest.raises(LabError, match="An upstream agent has no list"):
        ensure(agent, Wanted("debugEcho"))


@pytest.mark.parametrize(("keep", "changed"), [(True, True), (False, False)])
def test_on_an_empty_machine_check_mode_foretells_what_keeping_changes(agent: Agent, keep: bool, changed: bool) -> None:
    assert ensure(agent, Wanted("http", "/x.sock", keep=keep), dry_run=True)["changed"] is changed


def test_a_handler_in_use_is_not_disturbed(registry: Registry, agent: Agent) -> None:
    registry.known = [SELF]
    with pytest.raises(LabError, match="in use by Configuration default/echo"):
        _handlers.discovered(agent, SELF, "details", 1.0)


@pytest.mark.parametrize(("endpoint", "kind"), [("/nobody.sock", "UDS"), ("http://127.0.0.1:1", "NETWORK")])
def test_a_probe_of_nobody_fails(endpoint: str, kind: str) -> None:
    with pytest.raises(LabError, match="Connect to the discovery handler"):
        _handlers.probe(endpoint, kind)
