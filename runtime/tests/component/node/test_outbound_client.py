"""Requests to real servers: what is allowed arrives, what is not does not, and every limit holds."""

import re
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from edgelab.node.outbound import message
from edgelab.node.outbound.addresses import plain
from edgelab.node.outbound.client import LARGEST_BODY, LARGEST_HEADERS, MOST_REDIRECTS, Client
from edgelab.node.outbound.connection import is_local
from edgelab.node.outbound.errors import Number, OutboundError
from edgelab.node.outbound.message import Response
from edgelab.node.outbound.policy import Policy, Socket, endpoints

SOON = 0.3
"""Seconds that a request may take whose server is slower than any deadline."""


def nobody(host: str) -> Sequence[str]:
    raise AssertionError(f"the resolver was asked for {host}")


def device(*urls: str, refused: tuple[Socket, ...] = ()) -> Policy:
    return Policy(endpoints=endpoints({f"E{number}": url for number, url in enumerate(urls)}), refused=refused)


def ask(url: str, by: Policy, method: str = "GET", headers: str = "", body: bytes = b"", **more: Any) -> Response:
    client = Client(by, **{"resolve": nobody, "seconds": 60} | more)
    return client.send(message.request(url, method, headers, body))


def refused(url: str, by: Policy, **more: Any) -> OutboundError:
    with pytest.raises(OutboundError) as raised:
        ask(url, by, **more)
    return raised.value


def failed(url: str, by: Policy, **more: Any) -> str:
    error = refused(url, by, **more)
    assert error.number is Number.REQUEST_FAILED
    return str(error)


def late(url: str, **more: Any) -> None:
    """A request is given up when its time has passed."""
    assert re.search("timed out|too long", failed(url, device(url), seconds=SOON, **more))


def test_a_device_is_read(web: Any) -> None:
    web.says("/", b"42.17\n", Content_Type="text/plain")
    response = ask(web.url, device(web.url))
    assert (response.status, response.body, response.header("content-type")) == (200, b"42.17\n", b"text/plain")


def test_what_a_server_sees(web: Any) -> None:
    web.says("/a?b=%20c", b"", 201)
    mine = "X-Mine:1\nAccept: text/plain\nContent-Length: 99\nTransfer-Encoding: chunked\nConnection: keep-alive"
    assert ask(f"{web.url}/a?b= c#d", device(web.url), "POST", mine, b"body").status == 201
    ((method, path, headers, body),) = web.asked
    assert (method, path, body) == ("POST", "/a?b=%20c", b"body")
    assert {name.lower(): value for name, value in headers.items()} == {
        "host": f"127.0.0.1:{web.server_port}",
        "accept": "text/plain",
        "connection": "close",
        "content-length": "4",
        "x-mine": "1",
    }


@pytest.mark.parametrize("method", sorted(message.METHODS))
def test_methods(web: Any, method: str) -> None:
    web.says("/", b"" if method == "HEAD" else b"body")
    assert ask(web.url, device(web.url), method).body == (b"" if method == "HEAD" else b"body")
    assert web.asked[0][0] == method


def test_no_proxy_is_used(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    web.says("/", b"direct")
    assert ask(web.url, device(web.url)).body == b"direct"


def test_another_port_is_not_reached(new_web: Callable[[], Any]) -> None:
    own, other = new_web(), new_web()
    assert refused(other.url, device(own.url)).number is Number.NOT_ALLOWED
    assert other.asked == []


def test_the_labs_own_process_is_not_reached_though_a_device_names_it(web: Any) -> None:
    by = device(web.url, refused=(Socket("127.0.0.1", web.server_port),))
    assert refused(web.url, by).number is Number.NOT_ALLOWED
    assert web.asked == []


def test_what_is_this_machines_own() -> None:
    own = re.findall(r"-- (\S+)\n\s+/32 host LOCAL", Path("/proc/net/fib_trie").read_text())
    assert "127.0.0.1" in own
    assert [address for address in (*own, "::1") if not is_local(plain(address))] == []
    assert [address for address in ("198.51.100.1", "203.0.113.9", "2001:db8::1") if is_local(plain(address))] == []


def test_a_name_is_resolved_once(web: Any) -> None:
    """A server of names that answers differently the second time gets no second time."""
    asked = []

    def rebinding(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    url = f"http://camera.example:{web.server_port}/"
    web.says("/", b"value")
    assert ask(url, device(url), resolve=rebinding).body == b"value"
    assert asked == ["camera.example"]
    assert web.asked[0][2]["host"] == f"camera.example:{web.server_port}"
    assert refused(url, device(url), resolve=rebinding).number is Number.NOT_ALLOWED


def test_an_address_that_does_not_answer_is_passed_over(web: Any) -> None:
    web.says("/", b"value")
    url = f"http://camera.example:{web.server_port}/"
    assert ask(url, device(url), resolve=lambda _host: ["127.0.0.9", "127.0.0.1"]).body == b"value"


def test_a_name_that_nobody_knows() -> None:
    def resolve(_host: str) -> list[str]:
        raise OSError("no such name")

    assert "no such name" in failed("http://camera.example/", device("http://camera.example/"), resolve=resolve)


def redirect(web: Any, path: str, to: str, status: int = 302) -> None:
    web.says(path, b"x" * 100, status, Location=to)


def test_a_redirect_is_followed_where_the_policy_allows(new_web: Callable[[], Any]) -> None:
    one, two = new_web(), new_web()
    redirect(one, "/", "/next")
    redirect(one, "/next", f"{two.url}/there")
    two.says("/there", b"arrived")
    both = device(one.url, two.url)
    assert ask(one.url, both, headers="Authorization: secret\nCookie: c=1\nX-Kept: 1").body == b"arrived"
    assert "authorization" in one.asked[1][2]
    assert {"authorization", "cookie", "x-kept"} & set(two.asked[0][2]) == {"x-kept"}


def test_a_redirect_is_decided_anew(new_web: Callable[[], Any]) -> None:
    own, other = new_web(), new_web()
    other.says("/", b"secret")
    for path, to in (("/a", other.url), ("/b", "http://169.254.169.254/"), ("/c", "file:///etc/passwd")):
        redirect(own, path, to)
        assert refused(own.url + path, device(own.url)).number is Number.NOT_ALLOWED
    assert other.asked == []


def test_redirects_end(web: Any) -> None:
    redirect(web, "/", "/")
    assert "redirects" in failed(web.url, device(web.url))
    assert len(web.asked) == MOST_REDIRECTS + 1


HEAD = b"HTTP/1.1 200 OK\r\n"
MEBI = 1024 * 1024


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"garbage\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", id="no status"),
        pytest.param(b"HTTP/1.1 101 Other\r\nUpgrade: x\r\n\r\n", id="another protocol"),
        pytest.param(HEAD + b"Content-Length: 10\r\n\r\nshort", id="too short"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", id="half a chunk"),
        pytest.param(HEAD + b"X: y\r\n" * 200 + b"\r\n", id="many headers"),
        pytest.param(HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n", id="a long header"),
        pytest.param(
            HEAD + (b"X: " + b"y" * 60_000 + b"\r\n") * (LARGEST_HEADERS // 60_000 + 1) + b"\r\n", id="headers"
        ),
        pytest.param(HEAD + b"\r\n" + b"x" * (LARGEST_BODY + 1), id="oversize"),
        pytest.param(HEAD + b"Content-Length: 99999999999\r\n\r\n" + b"x" * (LARGEST_BODY + MEBI), id="said oversize"),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"100000\r\n" + b"x" * MEBI + b"\r\n") * 9, id="chunks"
        ),
    ],
)
def test_an_answer_that_is_none(web: Any, raw: bytes) -> None:
    web.sends("/", raw)
    failed(web.url, device(web.url))


@pytest.mark.parametrize("head", [b"", b"Content-Length: %d\r\n" % LARGEST_BODY])
def test_a_body_may_have_its_full_size(web: Any, head: bytes) -> None:
    web.sends("/", HEAD + head + b"\r\n" + b"x" * LARGEST_BODY)
    assert len(ask(web.url, device(web.url)).body) == LARGEST_BODY


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"HTTP/1.1 200 ", id="status line"),
        pytest.param(HEAD + b"X: ", id="headers"),
        pytest.param(HEAD + b"\r\n", id="body"),
        pytest.param(HEAD + b"Content-Length: 1000000\r\n\r\n", id="body of a known size"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n100000\r\n", id="chunk"),
    ],
)
def test_a_server_that_drips_does_not_outlast_the_deadline(web: Any, before: bytes) -> None:
    web.drips("/", before)
    late(web.url)


def test_a_server_that_says_nothing(web: Any) -> None:
    web.answers["/"] = lambda _asked: web.ended.wait()
    late(web.url)


def test_redirects_share_one_deadline(web: Any) -> None:
    redirect(web, "/", "/slow")
    web.drips("/slow", HEAD)
    late(web.url)


def test_a_resolver_that_says_nothing() -> None:
    never = threading.Event()

    def resolve(_host: str) -> list[str]:
        never.wait()
        return []

    late("http://camera.example/", resolve=resolve)
    never.set()


def test_nobody_listens(web: Any) -> None:
    url = f"http://127.0.0.2:{web.server_port}"
    failed(url, device(url))


@pytest.fixture
def secured(web: Any, make_ca: Callable[[str], Any]) -> tuple[Any, Callable[[], ssl.SSLContext]]:
    """A server for https://127.0.0.1, and the trust that knows it."""
    ca = make_ca("web")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.issue("server", "web"))
    web.socket = context.wrap_socket(web.socket, server_side=True)
    web.says("/", b"secret")
    return web, lambda: ssl.create_default_context(cafile=str(ca.path))


def test_tls(secured: tuple[Any, Callable[[], ssl.SSLContext]]) -> None:
    web, trust = secured
    url = f"https://127.0.0.1:{web.server_port}/"
    assert ask(url, device(url), trust=trust).body == b"secret"
    assert "certificate" in failed(url, device(url))
    assert len(web.asked) == 1


def test_a_certificate_is_for_its_name(secured: tuple[Any, Callable[[], ssl.SSLContext]]) -> None:
    web, trust = secured
    url = f"https://camera.example:{web.server_port}/"
    assert "camera.example" in failed(url, device(url), trust=trust, resolve=lambda _host: ["127.0.0.1"])
    assert web.asked == []


def test_a_server_that_does_not_speak_tls(web: Any) -> None:
    url = f"https://127.0.0.1:{web.server_port}/"
    assert "SSL" in failed(url, device(url))


def test_tls_that_never_begins() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        late(f"https://127.0.0.1:{silent.getsockname()[1]}/")
