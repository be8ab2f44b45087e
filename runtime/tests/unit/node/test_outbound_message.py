"""Headers, methods, redirects, and responses that are held open."""

import itertools
from collections.abc import Callable

import pytest
from edgelab.node.outbound.client import LARGEST_BODY
from edgelab.node.outbound.errors import Number, OutboundError
from edgelab.node.outbound.message import Request, Response, redirected, request
from edgelab.node.outbound.sessions import MOST_BYTES, Sessions
from edgelab.node.outbound.urls import parse
from hypothesis import given
from hypothesis import strategies as st

URL = "http://a.example:81/x/y?z"


def refused(**changed: str) -> Number:
    given = {"url": URL, "method": "GET", "headers": ""} | changed
    with pytest.raises(OutboundError) as raised:
        request(given["url"], given["method"], given["headers"], b"")
    return raised.value.number


def test_a_request_is_read() -> None:
    found = request(URL, "post", "Content-Type: text/plain\nX-a:b:c\r\n", b"body")
    assert found == Request("POST", parse(URL), {"content-type": "text/plain", "x-a": "b:c"}, b"body")


def test_the_last_of_several_headers_counts() -> None:
    assert request(URL, "GET", "a:1\nA:2", b"").headers == {"a": "2"}


@pytest.mark.parametrize("method", ["", "CONNECT", "TRACE", "GET ", "G\r\nET", "get\0"])
def test_methods_that_are_none(method: str) -> None:
    assert refused(method=method) is Number.INVALID_METHOD


@pytest.mark.parametrize(
    "headers",
    [
        *("no colon", ":value", "a b:c", "a:b\n\nc:d", "a:b\rc:d", "a:\0", "a:\x7f", "\u00fc:a", "a:\u00fc", "a :b"),
        *("Host:other.example", "hOsT: b", "a:b\nhost:c", "\n"),
    ],
)
def test_headers_that_are_refused(headers: str) -> None:
    assert refused(headers=headers) is Number.INVALID_ENCODING


def test_what_is_about_the_connection_is_not_the_modules() -> None:
    mine = (
        "Connection: close, X-Mine\nX-Mine: 1\nTransfer-Encoding: chunked\nContent-Length: 9\nUpgrade: h2c\nX-Kept: 1"
    )
    assert request(URL, "GET", mine, b"").headers == {"x-kept": "1"}


@given(st.text())
def test_headers_never_break_out_of_their_line(text: str) -> None:
    try:
        found = request(URL, "GET", text, b"").headers
    except OutboundError:
        return
    assert not any(set(name + value) & set("\r\n\0") for name, value in found.items())


SENT = request(URL, "POST", "Authorization:x\nCookie:y\nContent-Type:t\nX-a:b", b"body")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/other", "http://a.example:81/other"),
        ("z", "http://a.example:81/x/z"),
        ("?q", "http://a.example:81/x/y?q"),
        ("//b.example/", "http://b.example/"),
        ("https://a.example:81/", "https://a.example:81/"),
        ("../../../etc", "http://a.example:81/etc"),
    ],
)
def test_where_a_redirect_leads(location: str, url: str) -> None:
    following = redirected(SENT, 302, location)
    assert following is not None
    assert following.url == parse(url)


@pytest.mark.parametrize(("status", "method", "body"), [(301, "GET", b""), (303, "GET", b""), (307, "POST", b"body")])
def test_a_post_becomes_a_get_unless_the_status_says_otherwise(status: int, method: str, body: bytes) -> None:
    following = redirected(SENT, status, "/")
    assert following is not None
    assert (following.method, following.body) == (method, body)
    kept = {"authorization", "cookie", "x-a"} | ({"content-type"} if body else set())
    assert set(following.headers) == kept


@pytest.mark.parametrize("location", ["http://a.example/", "https://a.example:81/", "http://b.example:81/"])
def test_secrets_stay_at_their_origin(location: str) -> None:
    following = redirected(SENT, 308, location)
    assert following is not None
    assert set(following.headers) == {"content-type", "x-a"}


@pytest.mark.parametrize(("status", "location"), [(200, "/"), (302, None), (302, ""), (304, "/"), (300, "/")])
def test_what_is_no_redirect(status: int, location: str | None) -> None:
    assert redirected(SENT, status, location) is None


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://u:p@b.example/", "http://[", "gopher://a.example/"])
def test_a_redirect_that_nothing_could_allow(location: str) -> None:
    with pytest.raises(OutboundError) as raised:
        redirected(SENT, 302, location)
    assert raised.value.number is Number.NOT_ALLOWED


def test_headers_of_a_response_are_lines() -> None:
    response = Response(200, (("A-b", "c"), ("d", "e\r\n f"), ("A-b", "\xff")))
    assert response.header_lines == b"a-b:c\nd:e f\na-b:\xff\n"
    assert (response.header("a-B"), response.header("x")) == (b"c", None)


def test_handles_are_not_given_again_at_once() -> None:
    sessions = Sessions(2)
    first, second = sessions.add(Response(200, ())), sessions.add(Response(200, ()))
    sessions.close(second)
    assert len({first, second, sessions.add(Response(200, ()))}) == 3


def test_a_body_is_read_in_pieces() -> None:
    sessions = Sessions(1)
    session = sessions.get(sessions.add(Response(200, (), b"abc")))
    assert [session.read(2), session.read(2), session.read(2)] == [b"ab", b"c", b""]


def no_room(sessions: Sessions) -> bool:
    try:
        sessions.make_room()
    except OutboundError as error:
        return error.number is Number.TOO_MANY_SESSIONS
    return False


def test_open_responses_are_counted() -> None:
    sessions = Sessions(1)
    assert not no_room(sessions)
    handle = sessions.add(Response(200, ()))
    assert no_room(sessions)
    sessions.close(handle)
    assert not no_room(sessions)
    assert no_room(Sessions(0))


@pytest.mark.parametrize("body", [b"", bytes(LARGEST_BODY)])
def test_what_open_responses_hold_is_bounded(body: bytes) -> None:
    sessions, most = Sessions(10**9), MOST_BYTES // 1024
    opened = [sessions.add(Response(200, (), body)) for _each in itertools.takewhile(_is_room(sessions), range(most))]
    assert len(opened) < most
    assert sum(sessions.get(handle).size for handle in opened) <= MOST_BYTES
    for handle in opened:
        sessions.close(handle)
    assert len(list(itertools.takewhile(_is_room(sessions), range(most)))) == most


def _is_room(sessions: Sessions) -> Callable[[int], bool]:
    return lambda _number: not no_room(sessions)


@pytest.mark.parametrize("handle", [0, 7, 2**32 - 1])
def test_a_handle_that_is_not_open(handle: int) -> None:
    for use in (Sessions(1).get, Sessions(1).close):
        with pytest.raises(OutboundError) as raised:
            use(handle)
        assert raised.value.number is Number.INVALID_HANDLE
