"""A discovery handler as a process of its own: built in, of a file, of a project that was just begun."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edgelab.discovery.testing import PATIENCE
from edgelab.service.files import write_whole
from edgelab.service.status import ask
from edgelab.wire import discovery_pb2 as wire

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Python with these words and, as keywords, variables of the environment."""
    with contextlib.ExitStack() as ends:

        def start(*words: object, **environment: str) -> subprocess.Popen[str]:
            argv = [sys.executable, *map(str, words)]
            ours = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment}
            process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=ours)
            ends.callback(process.communicate)
            ends.callback(process.kill)
            return process

        yield start


@pytest.fixture
def handler(start: Start) -> Start:
    """Starts `edgelab handler` with these words."""
    return lambda *words, **environment: start("-m", "edgelab", "handler", *words, **environment)


async def test_debug_echo_unplugs_one_device_alone(agent, run_dir: Path, tmp_path: Path, handler: Start) -> None:
    file = tmp_path / "availability.txt"
    process = handler("serve", "debugEcho", "--run", run_dir, DEBUG_ECHO_AVAILABILITY_FILE=str(file))
    async with agent.up():
        told = await agent.registered()
        async with agent.discover(told.endpoint, "descriptions: [foo0, foo1]") as answers:
            assert await answers.next_ids() == ["foo0", "foo1"]
            write_whole(file, b"OFFLINE foo1\n")
            assert await answers.next_ids() == ["foo0"]
            write_whole(file, b"OFFLINE\n")
            assert await answers.next_ids() == []
            file.unlink()
            assert await answers.next_ids() == ["foo0", "foo1"]
            status = await asyncio.to_thread(ask, run_dir / "handler-debugEcho.sock")
            process.terminate()
            _output, log = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert (told.name, told.endpoint, told.shared) == ("debugEcho", str(run_dir / "akri/debugEcho.sock"), True)
    assert told.endpoint_type == wire.RegisterDiscoveryHandlerRequest.UDS
    assert status == {"ready": True, "handler": "debugEcho", "streams": 1, "devices": 2}
    assert process.returncode == 0
    assert log.splitlines()[-1].endswith("stopped")
    assert list((run_dir / "akri").iterdir()) == []


async def test_flags_make_it_local_and_name_its_status(agent, run_dir: Path, handler: Start) -> None:
    handler("serve", "http", "--run", run_dir, "--local", "--name", "mine")
    async with agent.up():
        assert not (await agent.registered()).shared
        assert (await asyncio.to_thread(ask, run_dir / "mine.sock"))["handler"] == "http"


async def test_two_of_one_kind_are_known_by_names_of_their_own(agent, run_dir: Path, handler: Start) -> None:
    handler("serve", "http", "--run", run_dir, "--as", "http-cameras")
    async with agent.up():
        told = await agent.registered()
        assert (told.name, told.endpoint) == ("http-cameras", str(run_dir / "akri/http-cameras.sock"))
        assert (await asyncio.to_thread(ask, run_dir / "handler-http-cameras.sock"))["handler"] == "http-cameras"


def test_a_name_that_is_no_part_of_a_path_is_refused(run_dir: Path, handler: Start) -> None:
    refused = handler("serve", "http", "--run", run_dir, "--as", "../http")
    assert "'../http' is not a handler's name" in refused.communicate(timeout=PATIENCE)[1]
    assert refused.returncode == 2


async def test_akris_environment_is_enough_and_makes_it_listen_on_the_network(
    agent, run_dir: Path, handler: Start
) -> None:
    address = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}.1"
    handler("serve", "debug_echo", DISCOVERY_HANDLERS_DIRECTORY=str(run_dir / "akri"), POD_IP=address)
    async with agent.up():
        told = await agent.registered()
        async with agent.discover(told.endpoint, "descriptions: [foo0]") as answers:
            assert await answers.next_ids() == ["foo0"]
    assert (told.endpoint, told.endpoint_type) == (
        f"http://{address}:10000",
        wire.RegisterDiscoveryHandlerRequest.NETWORK,
    )


async def test_an_address_of_another_machine_is_told(run_dir: Path, handler: Start) -> None:
    process = handler("serve", "http", "--run", run_dir, "--listen", "192.0.2.1:9000")
    _output, log = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert process.returncode == 1
    assert "Listen on 192.0.2.1, port 9000. Cannot assign requested address" in log.splitlines()[-1]


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path, handler: Start) -> None:
    (tmp_path / "file").touch()
    process = handler("serve", "http", "--run", tmp_path / "file")
    _output, log = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert process.returncode == 1
    assert "in which handlers and the agent meet. [Errno 20] Not a directory" in log.splitlines()[-1]


FINE = """
from edgelab.discovery.sdk import Device, handler
@handler("own", shared=True)
async def HANDLER(details: str, properties):
    yield [Device(details)]
"""


async def test_a_file_is_served_whatever_its_name(agent, run_dir: Path, tmp_path: Path, handler: Start) -> None:
    """Such a name must not take the place of Python's own module."""
    file = tmp_path / "http.py"
    file.write_text(f"import neighbour\n{FINE}")
    (tmp_path / "neighbour.py").touch()
    handler("serve", file, "--run", run_dir)
    async with agent.up():
        assert await agent.devices("a b") == ["a b"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("x = 1\nx = 1 / 0\n", "FILE, line 2: ZeroDivisionError: division by zero"),
        ("\n\nx = (\n", "FILE, line 3: SyntaxError: '(' was never closed"),
        ("import nowhere_to_be_found\n", "FILE, line 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(0)\n", "FILE, line 1: SystemExit: 0"),
        (FINE.replace("str", "set[str]"), "FILE, line 3: TypeError: set[str] cannot be a type of discovery details"),
        ("x = 1\n", "It has no HANDLER. Decorate its async generator"),
        ("HANDLER = 5\n", "Its HANDLER is 5. Decorate its async generator"),
        (None, "FILE: FileNotFoundError: [Errno 2] No such file or directory"),
    ],
)
def test_an_error_in_a_file_is_told_with_its_line(
    tmp_path: Path, handler: Start, content: str | None, told: str
) -> None:
    file = tmp_path / "own.py"
    if content is not None:
        file.write_text(content)
    process = handler("serve", file, "--run", tmp_path)
    _output, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert told.replace("FILE", str(file)) in error
    assert len(error.splitlines()) == 1


@pytest.fixture
def project(tmp_path: Path, handler: Start) -> Path:
    """A project that was just begun."""
    directory = tmp_path / "project"
    assert handler("new", "greenhouse", "--directory", directory).wait(PATIENCE) == 0
    return directory


def test_a_new_project_passes_its_own_tests(project: Path) -> None:
    pytest_words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "."]
    tested = subprocess.run(pytest_words, cwd=project, check=False, capture_output=True, text=True, timeout=60)
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


@pytest.mark.parametrize("words", [[], ["-m", "edgelab", "handler", "serve"]], ids=["as a program", "by edgelab"])
async def test_a_new_project_is_served(
    agent, run_dir: Path, project: Path, tmp_path: Path, start: Start, words: list[str]
) -> None:
    devices = tmp_path / "devices"
    devices.mkdir()
    (devices / "one").touch()
    start(*words, project / "greenhouse_handler.py", "--run", run_dir)
    async with agent.up():
        told = await agent.registered()
        async with agent.discover(told.endpoint, f"directory: {devices}\nintervalSeconds: 0.1") as answers:
            assert await answers.next_ids() == ["one"]
            (devices / "two").touch()
            assert await answers.next_ids() == ["one", "two"]
            (devices / "two").unlink()
            assert await answers.next_ids() == ["one"]
    assert (told.name, told.shared) == ("greenhouse", False)
