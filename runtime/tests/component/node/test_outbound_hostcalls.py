"""The host calls as modules use them: real modules, a real server, and a number for each error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from edgelab.node.containers import guest
from edgelab.node.containers.records import ContainerSpec
from edgelab.node.outbound.policy import NOWHERE, Policy, endpoints

MEBI = 1024 * 1024

# Memory: what the module says from 64 on, statuses and counts below; what it gets from 4096 on.
TEXTS = {"url": 64, "method": 1024, "headers": 1088, "name": 1536}
MODULE = """(module
(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
(import "wasi_experimental_http" "req" (func $req (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "wasi_experimental_http" "body_read" (func $read (param i32 i32 i32 i32) (result i32)))
(import "wasi_experimental_http" "header_get" (func $header (param i32 i32 i32 i32 i32 i32) (result i32)))
(import "wasi_experimental_http" "headers_get_all" (func $headers (param i32 i32 i32 i32) (result i32)))
(import "wasi_experimental_http" "close" (func $close (param i32) (result i32)))
(memory (export "{memory}") 40)
{data}
(func $ask (result i32) (call $req {url} {method} {headers} (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 12)))
(func $must (param i32) (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
(func (export "_start") {body}))"""

ASK = "(call $must (call $ask))"
HANDLE = "(i32.load (i32.const 12))"
COUNT = "(i32.load (i32.const 16))"
BUFFER = "(i32.const 4096) (i32.const 100) (i32.const 16)"
NAME = "(i32.const 1536) (i32.const 6)"
BEYOND = "(i32.const 0x7ffffff0)"


def ends_with(number: str) -> str:
    return f"(call $exit {number})"


def run(
    body: str, tmp_path: Path, by: Policy = NOWHERE, *, memory: str = "memory", headers: str = "", **texts: str
) -> int:
    """The exit code of a module that runs this."""
    said = {"url": "http://127.0.0.1:9/", "method": "GET", "name": "x-long"} | texts | {"headers": headers}
    places = {name: f"(i32.const {TEXTS[name]}) (i32.const {len(text.encode())})" for name, text in said.items()}
    data = "\n".join(
        '(data (i32.const {}) "{}")'.format(TEXTS[name], "".join(f"\\{byte:02x}" for byte in text.encode()))
        for name, text in said.items()
    )
    source = MODULE.format(memory=memory, data=data, body=body, **places)
    engine = wasmtime.Engine()
    module = tmp_path / "module"
    module.write_bytes(wasmtime.Module(engine, wasmtime.wat2wasm(source)).serialize())
    end = guest.run(ContainerSpec("", str(module), ("main",), 16 * MEBI, outbound=by), engine)
    assert not end.message
    return end.exit_code


def device(url: str, **fields: Any) -> Policy:
    return Policy(endpoints=endpoints({"E": url}), **fields)


@pytest.fixture
def ask(web: Any, tmp_path: Path) -> Callable[..., int]:
    """Runs a module whose URL is that of a device, which it may ask."""
    web.says("/", b"42.17\n", X_Long="v" * 40)
    return lambda body, **more: run(body, tmp_path, **{"by": device(web.url), "url": web.url} | more)


def test_status_body_and_headers(ask: Callable[..., int]) -> None:
    assert ask(f"{ASK} {ends_with('(i32.load16_u (i32.const 8))')}") == 200
    read = f"(call $must (call $read {HANDLE} {BUFFER}))"
    assert ask(f"{ASK} {read} {ends_with(COUNT)}") == len("42.17\n")
    assert ask(f"{ASK} {read} {read} {ends_with(COUNT)}") == 0
    assert ask(f"{ASK} {read} {ends_with('(i32.load8_u (i32.const 4097))')}") == ord("2")
    header = f"(call $must (call $header {HANDLE} {NAME} {BUFFER}))"
    assert ask(f"{ASK} {header} {ends_with(COUNT)}") == 40
    assert ask(f"{ASK} {header} {ends_with(COUNT)}", name="X-LONG") == 40
    everything = f"(call $must (call $headers {HANDLE} {BUFFER}))"
    assert ask(f"{ASK} {everything} {ends_with(COUNT)}") == len(f"content-length:6\nx-long:{'v' * 40}\n")
    assert ask(f"{ASK} (call $must (call $close {HANDLE}))") == 0


def test_the_status_has_two_bytes(ask: Callable[..., int]) -> None:
    mark = "(i32.store (i32.const 8) (i32.const -1))"
    assert ask(f"{mark} {ASK} {ends_with('(i32.load8_u (i32.const 10))')}") == 255


@pytest.mark.parametrize("handle", ["(i32.const 0)", "(i32.const 99)", "(i32.const -1)"])
@pytest.mark.parametrize("use", ["read {} {b}", "header {} {n} {b}", "headers {} {b}", "close {}"])
def test_1_handles_that_are_not_open(tmp_path: Path, handle: str, use: str) -> None:
    call = use.format(handle, b=BUFFER, n=NAME)
    assert run(ends_with(f"(call ${call})"), tmp_path) == 1


def test_1_a_handle_that_was_closed(ask: Callable[..., int]) -> None:
    closed = f"{ASK} (call $must (call $close {HANDLE}))"
    assert ask(f"{closed} {ends_with(f'(call $read {HANDLE} {BUFFER})')}") == 1
    assert ask(f"{closed} {ends_with(f'(call $close {HANDLE})')}") == 1


def test_2_no_memory(ask: Callable[..., int]) -> None:
    assert ask(ends_with("(call $ask)"), memory="other") == 2


@pytest.mark.parametrize(
    "call",
    [
        f"read {HANDLE} {BEYOND} (i32.const 100) (i32.const 16)",
        f"read {HANDLE} (i32.const 4096) (i32.const -1) (i32.const 16)",
        f"read {HANDLE} (i32.const 4096) (i32.const 100) {BEYOND}",
        f"header {HANDLE} {NAME} {BEYOND} (i32.const 100) (i32.const 16)",
        f"headers {HANDLE} {BEYOND} (i32.const 100) (i32.const 16)",
        f"headers {HANDLE} (i32.const 4096) (i32.const 100) (i32.const -1)",
    ],
)
def test_3_nothing_is_written_beyond_the_memory(ask: Callable[..., int], call: str) -> None:
    assert ask(f"{ASK} {ends_with(f'(call ${call})')}") == 3


def test_3_a_result_that_cannot_be_written_is_not_asked_for(ask: Callable[..., int], web: Any) -> None:
    empty = "(i32.const 0) (i32.const 0)"
    place = "(i32.const 64) (i32.const 20) (i32.const 1024) (i32.const 3)"
    assert ask(ends_with(f"(call $req {place} {empty} {empty} {BEYOND} (i32.const 12))")) == 3
    assert web.asked == []


@pytest.mark.parametrize(
    "call",
    [
        f"headers {HANDLE} (i32.const 4096) (i32.const 5) (i32.const 16)",
        f"header {HANDLE} {NAME} (i32.const 4096) (i32.const 39) (i32.const 16)",
        f"header {HANDLE} {BEYOND} (i32.const 6) {BUFFER}",
    ],
)
def test_4_buffers_that_are_too_small(ask: Callable[..., int], call: str) -> None:
    assert ask(f"{ASK} {ends_with(f'(call ${call})')}") == 4


def test_5_a_header_that_is_not_there(ask: Callable[..., int]) -> None:
    assert ask(f"{ASK} {ends_with(f'(call $header {HANDLE} {NAME} {BUFFER})')}", name="nobody") == 5


def test_6_text_that_is_none(ask: Callable[..., int]) -> None:
    spoilt = "(i32.store8 (i32.const 70) (i32.const 255))"
    assert ask(f"{spoilt} {ends_with('(call $ask)')}") == 6


@pytest.mark.parametrize(
    ("texts", "number"),
    [
        ({"url": "http://127.0.0.1:1/"}, 7),
        ({"url": "http://169.254.169.254/"}, 7),
        ({"method": "CONNECT"}, 8),
        ({"headers": "Host: other"}, 9),
        ({"headers": "a:b\rc:d"}, 9),
        ({"url": "file:///etc/passwd"}, 10),
        ({"url": "http://user@127.0.0.1/"}, 10),
    ],
)
def test_7_to_10_requests_that_are_refused(ask: Callable[..., int], texts: dict[str, str], number: int) -> None:
    assert ask(ends_with("(call $ask)"), **texts) == number


def test_7_nothing_is_allowed_by_default(ask: Callable[..., int], web: Any) -> None:
    assert ask(ends_with("(call $ask)"), by=NOWHERE) == 7
    assert web.asked == []


def test_11_a_request_that_fails(ask: Callable[..., int], web: Any) -> None:
    web.sends("/", b"garbage")
    assert ask(ends_with("(call $ask)")) == 11


@pytest.mark.parametrize(("length", "number"), [(MEBI, 0), (MEBI + 1, 11)])
def test_11_a_body_that_is_too_large(ask: Callable[..., int], web: Any, length: int, number: int) -> None:
    place = f"(i32.const 64) (i32.const {len(web.url)}) (i32.const 1024) (i32.const 4) (i32.const 0) (i32.const 0)"
    call = f"(call $req {place} (i32.const 4096) (i32.const {length}) (i32.const 8) (i32.const 12))"
    assert ask(ends_with(call), method="POST") == number
    assert [len(body) for _method, _path, _headers, body in web.asked] == ([MEBI] if number == 0 else [])


def test_12_an_error_of_the_node(ask: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr("edgelab.node.outbound.client.Client.send", broken)
    assert ask(ends_with("(call $ask)")) == 12


def test_13_too_many_are_open(ask: Callable[..., int], web: Any) -> None:
    two = device(web.url, most_open=2)
    assert ask(f"{ASK} {ASK} {ends_with('(call $ask)')}", by=two) == 13
    assert ask(f"{ASK} {ASK} (call $must (call $close {HANDLE})) {ends_with('(call $ask)')}", by=two) == 0
