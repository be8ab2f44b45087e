"""Registration and Discover streams, with real handlers over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from edgelab.agent import discovery
from edgelab.agent.discovery import Discovery, Setting, View
from edgelab.agent.endpoints import Endpoint, Endpoints
from edgelab.agent.probe import first_answer
from edgelab.agent.registration import Registration
from edgelab.agent.testing import Handler, until
from edgelab.core.errors import LabError
from edgelab.core.model import Configuration
from edgelab.service.sockets import grpc_channel, serve_grpc
from edgelab.wire.discovery_grpc import RegistrationStub
from edgelab.wire.discovery_pb2 import RegisterDiscoveryHandlerRequest
from grpclib.const import Status
from grpclib.exceptions import GRPCError


def configuration(uid: str = "c-1", **handler: Any) -> Configuration:
    spec = {"discoveryHandler": {"name": "debugEcho", "discoveryDetails": "descriptions: [foo0]", **handler}}
    return Configuration.from_dict({"metadata": {"name": "echo", "namespace": "default", "uid": uid}, "spec": spec})


@dataclass
class Bench:
    """The discovering half of an agent, and what it was told; `later` moves its clock."""

    directory: Path
    endpoints: Endpoints
    later: float = 0.0
    told: list[object] = field(default_factory=list)
    unresolved: str = ""

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        setting = Setting("krustlet-wasi", 30.0, lambda: loop.time() + self.later, self.resolve)
        self.discovery = Discovery(self.endpoints, setting, self.told.append)

    async def resolve(self, wanted: Configuration) -> Mapping[str, bytes | None]:
        if self.unresolved:
            raise LabError("Read a property", self.unresolved)
        return {entry["name"]: None for entry in wanted.discovery_properties}

    @property
    def agent(self) -> Path:
        return self.directory / "agent-registration.sock"

    def handler(self, name: str = "one") -> Handler:
        handler = Handler("debugEcho", self.directory / f"{name}.sock")
        handler.plug({"foo0": {"D": "foo0"}})
        return handler

    def look(self, wanted: Configuration | None = None) -> View:
        return self.discovery.want(wanted or configuration())

    def ids(self, wanted: Configuration | None = None) -> list[str]:
        return [entry.device.id for entry in self.look(wanted).reported]

    def reasons(self) -> list[str]:
        return [problem.reason for problem in self.look().problems]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path, Endpoints(tmp_path / "handlers.json"))
    async with serve_grpc(bench.agent, [Registration(bench.endpoints)]):
        yield bench
        await bench.discovery.close()


async def test_registering_wakes_a_configuration_that_waits(bench: Bench) -> None:
    assert bench.look() == View((), settled=False, problems=())
    async with (handler := bench.handler()).serving():
        await handler.register(bench.agent)
        await until(lambda: bench.look().settled)
        assert bench.ids() == ["foo0"]
        assert ("default", "echo") in bench.told
        assert handler.requests[0].discovery_details == "descriptions: [foo0]"


async def test_each_message_replaces_the_list(bench: Bench) -> None:
    async with (handler := bench.handler()).serving():
        await handler.register(bench.agent)
        await until(lambda: bench.ids() == ["foo0"])
        handler.plug({"foo1": {}, "foo2": {}})
        await until(lambda: bench.ids() == ["foo1", "foo2"])
        handler.plug({})
        await until(lambda: bench.ids() == [])
        assert bench.look().settled


async def test_registering_twice_opens_one_stream(bench: Bench) -> None:
    async with (handler := bench.handler()).serving():
        await handler.register(bench.agent)
        await until(lambda: bench.ids() == ["foo0"])
        await handler.register(bench.agent)
        handler.plug({"foo1": {}})
        await until(lambda: bench.ids() == ["foo1"])
        assert (len(handler.requests), handler.open) == (1, 1)


async def test_endpoints_of_one_name_are_merged(bench: Bench) -> None:
    one, two = bench.handler("one"), bench.handler("two")
    two.plug({"foo1": {}})
    async with one.serving(), two.serving():
        await one.register(bench.agent)
        await two.register(bench.agent)
        await until(lambda: bench.ids() == ["foo0", "foo1"])


async def test_a_lost_handler_has_grace(bench: Bench) -> None:
    handler = bench.handler()
    async with handler.serving():
        await handler.register(bench.agent)
        await until(lambda: bench.ids() == ["foo0"])
    await until(lambda: not bench.look().settled)
    assert bench.ids() == ["foo0"]
    bench.later += 29
    assert bench.ids() == ["foo0"]
    assert bench.reasons() == ["DiscoveryHandlerUnavailable"]
    bench.later += 2
    assert bench.look().settled
    assert bench.ids() == []


async def test_a_handler_that_comes_back_is_dialled_again(bench: Bench) -> None:
    handler = bench.handler()
    async with handler.serving():
        await handler.register(bench.agent)
        await until(lambda: bench.ids() == ["foo0"])
    await until(lambda: not bench.look().settled)
    async with handler.serving():
        await until(lambda: bench.look().settled)
        assert bench.ids() == ["foo0"]


async def test_a_restarted_agent_dials_the_handlers_it_knew(bench: Bench) -> None:
    async with (handler := bench.handler()).serving():
        await handler.register(bench.agent)
        again = Bench(bench.directory, Endpoints(bench.directory / "handlers.json"))
        await until(lambda: again.ids() == ["foo0"])
        await again.discovery.close()


@pytest.mark.parametrize("change", [{"discoveryDetails": "new"}, {"discoveryProperties": [{"name": "P"}]}])
async def test_changed_details_and_properties_are_asked_anew(bench: Bench, change: dict[str, Any]) -> None:
    async with (handler := bench.handler()).serving():
        await handler.register(bench.agent)
        await until(lambda: bench.ids() == ["foo0"])
        handler.plug({"foo0": {}, "foo9": {}})
        changed = configuration(**change)
        assert "foo0" in bench.ids(changed)
        await until(lambda: len(handler.requests) == 2 and bench.look(changed).settled)
        assert bench.ids(changed) == ["foo0", "foo9"]
        assert handler.requests[1].discovery_details == changed.details
        assert set(handler.requests[1].discovery_properties) == {
            entry["name"] for entry in changed.discovery_properties
        }


async def test_a_handler_that_refuses_the_details_is_heard(bench: Bench) -> None:
    async with (handler := bench.handler()).serving():
        handler.refusal = "descriptions: expected a list"
        await handler.register(bench.agent)
        await until(lambda: bench.look().problems)
        (problem,) = bench.look().problems
        assert problem.reason == "InvalidDiscoveryDetails"
        assert "descriptions: expected a list" in problem.message
        handler.refusal = ""
        await until(lambda: bench.look(configuration(discoveryDetails="good")).settled)


async def test_why_nothing_appears_is_told_after_a_while(bench: Bench) -> None:
    assert bench.reasons() == []
    bench.later += discovery.PATIENCE_SECONDS
    (problem,) = bench.look().problems
    assert problem.reason == "NoDiscoveryHandler"
    # Another node's agent may have the handler, and devices of it: this is about one node alone.
    assert problem.message.startswith("Node krustlet-wasi finds no devices")
    assert "no other node's agent" in problem.message


async def test_a_handler_that_does_not_answer_is_told_of_until_it_does(bench: Bench) -> None:
    async with (handler := bench.handler()).serving():
        handler.silent = True
        await handler.register(bench.agent)
        bench.look()
        await until(lambda: handler.open)
        assert bench.reasons() == []
        bench.later += discovery.PATIENCE_SECONDS
        (problem,) = bench.look().problems
        assert problem.reason == "DiscoveryHandlerUnavailable"
        assert "has not answered yet" in problem.message
        handler.plug({"foo0": {}})
        await until(lambda: bench.ids() == ["foo0"])
        assert bench.reasons() == []


async def test_a_handler_that_does_not_answer_to_new_details_is_told_of(bench: Bench) -> None:
    async with (handler := bench.handler()).serving():
        await handler.register(bench.agent)
        await until(lambda: bench.ids() == ["foo0"])
        handler.silent = True
        other = configuration(discoveryDetails="new")
        bench.look(other)
        await until(lambda: len(handler.requests) == 2)
        bench.later += discovery.PATIENCE_SECONDS
        (problem,) = bench.look(other).problems
        assert "has not answered yet" in problem.message
        assert bench.ids(other) == ["foo0"]


async def test_a_property_that_cannot_be_read_is_told(bench: Bench) -> None:
    bench.unresolved = "Secret default/s has no key 'k'"
    bench.endpoints.register(Endpoint("debugEcho", str(bench.directory / "one.sock")))
    await until(lambda: bench.reasons() == ["DiscoveryPropertiesUnavailable"])


@pytest.mark.parametrize(("kept", "known"), [(True, 1), (False, 0)])
async def test_an_endpoint_long_out_of_reach_is_forgotten_unless_kept(bench: Bench, kept: bool, known: int) -> None:
    bench.endpoints.register(Endpoint("debugEcho", str(bench.directory / "nobody.sock"), kept=kept))
    bench.look()
    await until(lambda: bench.discovery.describe()[0]["error"])
    bench.later += discovery.FORGET_SECONDS
    bench.look()
    assert len(bench.endpoints.all()) == known


async def test_a_configuration_made_anew_is_asked_for_anew(bench: Bench) -> None:
    async with (handler := bench.handler()).serving():
        await handler.register(bench.agent)
        await until(lambda: bench.ids() == ["foo0"])
        assert bench.ids(configuration(uid="c-2")) == []
        await until(lambda: bench.ids(configuration(uid="c-2")) == ["foo0"])
        await until(lambda: handler.open == 1)


async def test_a_dropped_configuration_ends_its_stream(bench: Bench) -> None:
    async with (handler := bench.handler()).serving():
        await handler.register(bench.agent)
        await until(lambda: bench.ids() == ["foo0"])
        assert bench.discovery.describe()[0]["used_by"] == ["default/echo"]
        bench.discovery.drop(("default", "echo"))
        await until(lambda: handler.open == 0)


REGISTER = RegisterDiscoveryHandlerRequest


@pytest.mark.parametrize(
    "request_",
    [
        REGISTER(name="", endpoint="/x.sock"),
        REGISTER(name="x", endpoint="x.sock"),
        REGISTER(name="x", endpoint="10.0.0.7:10000", endpoint_type=REGISTER.NETWORK),
        REGISTER(name="x", endpoint="/x.sock", endpoint_type=7),  # type: ignore[arg-type]
    ],
)
async def test_a_registration_that_could_never_be_dialled_is_refused(bench: Bench, request_: REGISTER) -> None:
    async with grpc_channel(bench.agent) as channel:
        with pytest.raises(GRPCError) as caught:
            await RegistrationStub(channel).RegisterDiscoveryHandler(request_)
    assert caught.value.status is Status.INVALID_ARGUMENT
    assert bench.endpoints.all() == []


async def test_asking_once_without_an_agent(tmp_path: Path) -> None:
    handler = Handler("debugEcho", tmp_path / "one.sock")
    handler.plug({"foo0": {}})
    endpoint = Endpoint("debugEcho", str(handler.socket))
    ask: Callable[[], Any] = lambda: first_answer(endpoint, "details", timeout=5.0)  # noqa: E731
    async with handler.serving():
        assert [device.id for device in await asyncio.to_thread(ask)] == ["foo0"]
        handler.refusal = "no such details"
        with pytest.raises(LabError, match="no such details"):
            await asyncio.to_thread(ask)
    with pytest.raises(LabError, match="No such file"):
        await asyncio.to_thread(ask)
