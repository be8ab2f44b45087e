"""The proxy, on real sockets, with the committed Wasm handler or with a handler played by the test."""

import argparse
import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from edgelab.core.errors import LabError
from edgelab.discovery.command import add_arguments, proxy
from edgelab.service.status import ask
from grpclib.const import Status
from grpclib.exceptions import GRPCError

PATIENCE = 20.0
DETAILS = "descriptions: [foo0, foo1]"


@contextlib.asynccontextmanager
async def running_proxy(run_dir: Path, handler_dir: Path, *flags: str) -> AsyncIterator[asyncio.Task]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    argv = ["--run", str(run_dir), "--handler", f"debugEcho={handler_dir}", *flags]
    task = asyncio.ensure_future(proxy(parser.parse_args(argv)))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ExceptionGroup):
            await task


@contextlib.asynccontextmanager
async def asking(agent, run_dir: Path, handler_dir: Path) -> AsyncIterator:
    """A proxy that is being asked for DETAILS by an agent."""
    async with running_proxy(run_dir, handler_dir), agent.up():
        endpoint = (await agent.registered()).endpoint
        async with agent.discover(endpoint, DETAILS) as answers:
            yield answers


async def until(predicate) -> None:
    async with asyncio.timeout(PATIENCE):
        while not predicate():  # noqa: ASYNC110  # the state of files has no event
            await asyncio.sleep(0.01)


def answer(handler_dir: Path, *ids: str) -> None:
    """Play the handler: write out.out whole."""
    draft = handler_dir / "draft"
    draft.write_text(json.dumps({"devices": [{"id": name, "properties": {}} for name in ids]}))
    draft.rename(handler_dir / "out.out")


async def test_devices_of_the_wasm_handler(agent, run_dir: Path, handler_dir: Path, start_guest) -> None:
    guest = start_guest()
    async with agent.up(), running_proxy(run_dir, handler_dir, "--quoted-ids", "debugEcho"):
        told = await agent.registered()
        assert (told.name, told.shared) == ("debugEcho", True)
        async with agent.discover(told.endpoint, DETAILS) as answers:
            devices = await answers.next()
            assert [device.id for device in devices] == ['"foo0"', '"foo1"']
            assert dict(devices[0].properties) == {"DEBUG_ECHO_DESCRIPTION": '"foo0"'}
            (handler_dir / "debug-echo-availability.txt").write_text("OFFLINE\n")
            assert await answers.next() == []
            (handler_dir / "debug-echo-availability.txt").write_text("ONLINE\n")
            assert await answers.next_ids() == ['"foo0"', '"foo1"']
            await until(lambda: not [path for path in handler_dir.iterdir() if "out.out" in path.name])
    guest.kill()
    lines = guest.stdout.read().splitlines()
    assert lines[0] == "Wasi Debug Echo is up and running :)"
    assert lines.count("Input not specified yet!") <= 1
    assert lines[-2] == 'output: {"devices":[]}'
    assert lines[-1] == "output: " + json.dumps(
        {
            "devices": [
                {"id": name, "properties": {"DEBUG_ECHO_DESCRIPTION": name}, "mounts": [], "device_specs": []}
                for name in ("foo0", "foo1")
            ]
        },
        separators=(",", ":"),
    )


async def test_awkward_descriptions_arrive_unchanged(agent, run_dir: Path, handler_dir: Path, start_guest) -> None:
    awkward = ['q"uote', "back\\slash", "new\nline\t\x01", "é 😀", ""]
    start_guest()
    async with running_proxy(run_dir, handler_dir), agent.up():
        endpoint = (await agent.registered()).endpoint
        async with agent.discover(endpoint, json.dumps({"descriptions": awkward})) as answers:
            assert await answers.next_ids() == awkward


async def test_an_unplugged_device_stays_unplugged_when_its_handler_restarts(
    agent, run_dir: Path, handler_dir: Path, start_guest
) -> None:
    (handler_dir / "debug-echo-availability.txt").write_text("OFFLINE")
    start_guest()
    async with asking(agent, run_dir, handler_dir) as answers:
        assert await answers.next() == []
    assert (handler_dir / "debug-echo-availability.txt").read_text() == "OFFLINE"


async def test_a_malformed_input_leaves_the_handler_as_it_was(handler_dir: Path, start_guest) -> None:
    output = handler_dir / "out.out"
    (handler_dir / "in.in").write_text('{"descriptions":["foo0"]}')
    guest = start_guest()
    await until(output.exists)
    first = output.read_text()
    (handler_dir / "in.in").write_text('{"descriptions":["foo')
    assert (
        await asyncio.to_thread(_line_with, guest, "Cannot use")
        == "Cannot use /tmp/wde-dir/in.in: a string without end"
    )
    (handler_dir / "debug-echo-availability.txt").write_text("OFFLINE")
    await until(lambda: output.read_text() == '{"devices":[]}')
    (handler_dir / "debug-echo-availability.txt").write_text("ONLINE")
    await until(lambda: output.read_text() == first)


def _line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    return next(line.rstrip() for line in process.stdout if text in line)


async def test_a_restarted_proxy_has_the_devices_again(agent, run_dir: Path, handler_dir: Path, start_guest) -> None:
    start_guest()
    async with agent.up():
        for _round in range(2):
            async with running_proxy(run_dir, handler_dir):
                assert await agent.devices(DETAILS) == ["foo0", "foo1"]


async def test_an_answer_that_cannot_be_read_waits_for_the_next(
    agent, run_dir: Path, handler_dir: Path, caplog
) -> None:
    async with asking(agent, run_dir, handler_dir) as answers:
        await until((handler_dir / "in.in").exists)
        (handler_dir / "out.out").mkdir()
        await until(lambda: "Is a directory" in caplog.text)
        (handler_dir / "out.out").rmdir()
        answer(handler_dir, "foo0")
        assert await answers.next_ids() == ["foo0"]


async def test_a_restarted_agent_has_the_devices_again(agent, run_dir: Path, handler_dir: Path, start_guest) -> None:
    start_guest()
    async with running_proxy(run_dir, handler_dir):
        for _round in range(2):
            async with agent.up():
                assert await agent.devices(DETAILS) == ["foo0", "foo1"]


async def test_a_restarted_handler_changes_nothing(agent, run_dir: Path, handler_dir: Path, start_guest) -> None:
    guest = start_guest()
    async with asking(agent, run_dir, handler_dir) as answers:
        assert await answers.next_ids() == ["foo0", "foo1"]
        guest.kill()
        await asyncio.to_thread(_line_with, start_guest(), "output:")
        (handler_dir / "debug-echo-availability.txt").write_text("OFFLINE")
        # The next list is the one of the change: the equal one in between was not sent.
        assert await answers.next() == []


async def test_a_half_written_answer_waits_for_its_end(agent, run_dir: Path, handler_dir: Path, caplog) -> None:
    async with asking(agent, run_dir, handler_dir) as answers:
        await until((handler_dir / "in.in").exists)
        content = '{"devices":[{"id":"foo0","properties":{}}]}'
        (handler_dir / "out.out").write_text(content[:20])
        await until(lambda: "cannot be used until it is written again" in caplog.text)
        (handler_dir / "out.out").write_text(content[:20])
        (handler_dir / "out.out").write_text(content)
        assert await answers.next_ids() == ["foo0"]
    assert caplog.text.count("cannot be used") == 1


async def test_answers_of_an_earlier_run_are_not_served(agent, run_dir: Path, handler_dir: Path) -> None:
    answer(handler_dir, "stale")
    async with asking(agent, run_dir, handler_dir) as answers:
        await until((handler_dir / "in.in").exists)
        assert not (handler_dir / "out.out").exists()
        answer(handler_dir, "fresh")
        assert await answers.next_ids() == ["fresh"]


async def test_two_configurations_with_the_same_details_both_get_the_devices(
    agent, run_dir: Path, handler_dir: Path
) -> None:
    async with running_proxy(run_dir, handler_dir), agent.up():
        endpoint = (await agent.registered()).endpoint
        async with agent.discover(endpoint, DETAILS) as one:
            await until((handler_dir / "in.in").exists)
            answer(handler_dir, "foo0")
            assert await one.next_ids() == ["foo0"]
            async with agent.discover(endpoint, DETAILS + " # the same") as other:
                assert await other.next_ids() == ["foo0"]
                answer(handler_dir, "foo1")
                assert [await one.next_ids(), await other.next_ids()] == [["foo1"], ["foo1"]]


async def test_other_details_meanwhile_are_refused(agent, run_dir: Path, handler_dir: Path) -> None:
    async with running_proxy(run_dir, handler_dir), agent.up():
        endpoint = (await agent.registered()).endpoint
        async with agent.discover(endpoint, DETAILS) as one:
            await until((handler_dir / "in.in").exists)
            with pytest.raises(GRPCError) as caught:
                async with agent.discover(endpoint, "descriptions: [bar]") as other:
                    await other.next()
            assert caught.value.status is Status.FAILED_PRECONDITION
            assert 'Another Configuration asks it for {"descriptions":["foo0","foo1"]}' in caught.value.message
            answer(handler_dir, "foo0")
            assert await one.next_ids() == ["foo0"]


async def test_changed_details_follow_the_old_ones(agent, run_dir: Path, handler_dir: Path, start_guest) -> None:
    start_guest()
    async with running_proxy(run_dir, handler_dir), agent.up():
        endpoint = (await agent.registered()).endpoint
        async with contextlib.AsyncExitStack() as old:
            answers = await old.enter_async_context(agent.discover(endpoint, DETAILS))
            assert await answers.next_ids() == ["foo0", "foo1"]
            async with agent.discover(endpoint, "descriptions: [foo2]") as new:
                # The new stream is there before the old one is gone.
                await old.aclose()
                assert await new.next_ids() == ["foo2"]


@pytest.mark.parametrize(
    ("details", "question"),
    [
        ("", "{}"),
        ("{unit: celsius, ports: [2, 1]}", '{"ports":[2,1],"unit":"celsius"}'),
        ("http://127.0.0.1:9999/discovery", '"http://127.0.0.1:9999/discovery"'),
    ],
)
async def test_any_details_reach_the_handler(
    agent, run_dir: Path, handler_dir: Path, details: str, question: str
) -> None:
    endpoint = str(run_dir / "akri/debugEcho.sock")
    async with running_proxy(run_dir, handler_dir), agent.up(), agent.discover(endpoint, details) as answers:
        await until((handler_dir / "in.in").exists)
        assert (handler_dir / "in.in").read_text() == question
        answer(handler_dir, "foo0")
        assert await answers.next_ids() == ["foo0"]


async def test_a_handler_may_refuse_details(agent, run_dir: Path, handler_dir: Path) -> None:
    async with running_proxy(run_dir, handler_dir), agent.up():
        endpoint = (await agent.registered()).endpoint
        async with agent.discover(endpoint, "{unit: kelvin}") as answers:
            await until((handler_dir / "in.in").exists)
            (handler_dir / "out.out").write_text('{"error":"unit: celsius or fahrenheit"}')
            with pytest.raises(GRPCError) as caught:
                await answers.next()
        assert (caught.value.status, caught.value.message) == (
            Status.INVALID_ARGUMENT,
            "discoveryDetails: unit: celsius or fahrenheit",
        )
        async with agent.discover(endpoint, "{unit: celsius}") as answers:
            await until(lambda: b"celsius" in (handler_dir / "in.in").read_bytes())
            answer(handler_dir, "foo0")
            assert await answers.next_ids() == ["foo0"]


@pytest.mark.parametrize(
    ("details", "objection"),
    [
        ("", "descriptions is missing"),
        ("{description: [foo0]}", "descriptions is missing"),
        ("foo0", "an object was expected"),
    ],
)
async def test_debug_echo_refuses_what_it_does_not_know(
    agent, run_dir: Path, handler_dir: Path, start_guest, details: str, objection: str
) -> None:
    start_guest()
    async with running_proxy(run_dir, handler_dir), agent.up():
        endpoint = (await agent.registered()).endpoint
        async with agent.discover(endpoint, details) as answers:
            with pytest.raises(GRPCError) as caught:
                await answers.next()
        assert (caught.value.status, caught.value.message) == (
            Status.INVALID_ARGUMENT,
            f"discoveryDetails: {objection}",
        )
        async with agent.discover(endpoint, DETAILS) as answers:
            assert await answers.next_ids() == ["foo0", "foo1"]


async def test_several_handlers_in_one_process(agent, run_dir: Path, handler_dir: Path, tmp_path: Path) -> None:
    other_dir = tmp_path / "other"
    other_dir.mkdir()
    flags = ("--handler", f"other={other_dir}", "--local", "other", "--quoted-ids", "debugEcho")
    async with running_proxy(run_dir, handler_dir, *flags), agent.up():
        told = {each.name: each for each in [await agent.registered(), await agent.registered()]}
        assert {name: each.shared for name, each in told.items()} == {"debugEcho": True, "other": False}
        async with (
            agent.discover(told["debugEcho"].endpoint, DETAILS) as one,
            agent.discover(told["other"].endpoint, "{}") as other,
        ):
            await until((handler_dir / "in.in").exists)
            await until((other_dir / "in.in").exists)
            answer(handler_dir, "foo0")
            answer(other_dir, "bar0", "bar1")
            assert [await one.next_ids(), await other.next_ids()] == [['"foo0"'], ["bar0", "bar1"]]
            status = await asyncio.to_thread(ask, run_dir / "proxy.sock")
    assert [(each["handler"], each["devices"]) for each in status["handlers"]] == [("debugEcho", 1), ("other", 2)]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--handler", "other={directory}"], "the same name or the same directory"),
        (["--handler", "debugEcho=/elsewhere"], "the same name or the same directory"),
        (["--local", "debugEco"], "name debugEco, which no --handler does"),
        (["--quoted-ids", "a", "--local", "b"], "name a, b, which no --handler does"),
    ],
)
async def test_flags_that_contradict_each_other(run_dir: Path, handler_dir: Path, flags: list[str], told: str) -> None:
    async with running_proxy(run_dir, handler_dir, *(flag.format(directory=handler_dir) for flag in flags)) as task:
        with pytest.raises(ExceptionGroup) as caught:
            await asyncio.wait_for(task, PATIENCE)
    assert caught.group_contains(LabError, match=told)


async def test_bad_details_are_refused_by_name(agent, run_dir: Path, handler_dir: Path) -> None:
    async with running_proxy(run_dir, handler_dir), agent.up():
        with pytest.raises(GRPCError) as caught:
            async with agent.discover((await agent.registered()).endpoint, "descriptions: 1") as answers:
                await answers.next()
        assert caught.value.status is Status.INVALID_ARGUMENT
        assert "discoveryDetails.descriptions is a number" in caught.value.message


async def test_status_tells_whether_the_agent_knows(agent, run_dir: Path, handler_dir: Path) -> None:
    socket = run_dir / "echo.sock"
    async with running_proxy(run_dir, handler_dir, "--name", "echo", "--local", "debugEcho"):
        await until(socket.exists)
        before = await asyncio.to_thread(ask, socket)
        async with agent.up():
            assert (await agent.registered()).shared is False
            await until_ready(socket)
            async with agent.discover(str(run_dir / "akri/debugEcho.sock"), DETAILS) as answers:
                await until((handler_dir / "in.in").exists)
                answer(handler_dir, "foo0")
                await answers.next()
                during = await asyncio.to_thread(ask, socket)
    handler = {"handler": "debugEcho", "registered": False, "streams": 0, "devices": None}
    assert before == {"ready": False, "handlers": [handler]}
    assert during == {"ready": True, "handlers": [handler | {"registered": True, "streams": 1, "devices": 1}]}


async def until_ready(socket: Path) -> None:
    async with asyncio.timeout(PATIENCE):
        while not (await asyncio.to_thread(ask, socket))["ready"]:  # noqa: ASYNC110  # it must be asked for
            await asyncio.sleep(0.01)


async def test_a_directory_that_vanishes_ends_the_proxy(run_dir: Path, handler_dir: Path) -> None:
    async with running_proxy(run_dir, handler_dir) as task:
        await until((run_dir / "proxy.sock").exists)
        handler_dir.rmdir()
        with pytest.raises(ExceptionGroup) as caught:
            await asyncio.wait_for(task, PATIENCE)
    assert caught.group_contains(LabError, match="Make the directory again")
