"""The handler http against a real HTTP server, well-behaved and not."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from edgelab.agent.testing import until
from edgelab.discovery.handlers import http
from edgelab.discovery.handlers.http import HANDLER
from edgelab.discovery.handlers.http.fetch import Patience, open_session
from edgelab.discovery.testing import Sets, first, observe
from edgelab.service.sockets import bind

A, B = "http://127.0.0.1:9001/", "http://127.0.0.1:9002/"
MIB = 1024 * 1024


class Service:
    """A discovery service that answers as `answer` says, and can be taken away and put up again on its port."""

    def __init__(self) -> None:
        self.answer: Callable[[web.Request], object] = lambda request: web.Response(text=f"{A}\n")
        self.asked = 0
        with bind("127.0.0.1", 0) as listener:
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/discovery"
        self.details = f"url: {self.url}\nintervalSeconds: 0.1"

    def lists(self, *lines: str) -> None:
        """Answer with these lines from now on."""
        self.answer = lambda request: web.Response(text="".join(f"{line}\n" for line in lines))

    @contextlib.asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Listen while the block runs."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(application, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def until_asked(self, times: int = 2) -> None:
        """Wait for so many more questions; with two, what the first was answered with has been dealt with."""
        wanted = self.asked + times
        await until(lambda: self.asked >= wanted)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += request.path == "/discovery"
        answer = self.answer(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        assert isinstance(answer, web.StreamResponse)
        return answer


@pytest.fixture
def service() -> Service:
    """A service that does not listen yet."""
    return Service()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's own proxies do not take part."""
    for name in ("http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the handler has warned of, without the service's URL in front."""

    def told() -> list[str]:
        ours = (text for name, level, text in caplog.record_tuples if (name, level) == (http.__name__, logging.WARNING))
        return [text.partition(": ")[2] for text in ours]

    return told


@pytest.fixture
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler gives up on a server soon."""
    impatient = Patience(connect=0.2, read=0.2, total=0.5)
    monkeypatch.setattr(http, "open_session", lambda: open_session(impatient))


async def ids(sets: Sets) -> list[str]:
    return [device.id for device in await sets.next()]


async def test_devices_come_and_go_with_the_list(service: Service, warnings) -> None:
    async with service.up(), observe(HANDLER, service.details) as sets:
        assert await ids(sets) == [A]
        service.lists(A, "", B, A)
        assert await ids(sets) == [A, B]
        service.lists(B)
        assert await ids(sets) == [B]
        service.lists()
        assert await ids(sets) == []
    assert warnings() == []


async def test_a_bare_url_is_enough(service: Service) -> None:
    async with service.up():
        (device,) = await first(HANDLER, service.url)
    assert device.properties["AKRI_HTTP_DEVICE_ENDPOINT"] == A


async def test_a_refused_line_is_told_once(service: Service, warnings) -> None:
    service.lists(A, "/relative")
    async with service.up(), observe(HANDLER, service.details) as sets:
        assert await ids(sets) == [A]
        following = asyncio.ensure_future(ids(sets))
        await service.until_asked(3)
        service.lists(A, B, "/relative", "ftp://x/")
        assert await following == [A, B]
    left_out = [f"left out '{line}', which is no http or https URL" for line in ("/relative", "ftp://x/")]
    assert warnings() == left_out


async def test_nothing_is_reported_before_the_first_answer(service: Service, warnings) -> None:
    async with observe(HANDLER, service.details) as sets:
        following = asyncio.ensure_future(ids(sets))
        async with service.up():
            assert await following == [A]


async def test_the_last_list_stands_while_the_service_is_away(service: Service, warnings) -> None:
    async with observe(HANDLER, service.details) as sets:
        async with service.up():
            assert await ids(sets) == [A]
        following = asyncio.ensure_future(ids(sets))
        await until(warnings)
        assert not following.done()
        service.lists(B)
        async with service.up():
            assert await following == [B]
    away, back = warnings()
    assert away == "it cannot be reached: Connection refused; the last list stands until it answers"
    assert back == "it answers again"


async def test_a_name_that_nobody_has_is_told(warnings) -> None:
    async with observe(HANDLER, "http://discovery.invalid/discovery") as sets:
        following = asyncio.ensure_future(ids(sets))
        await until(warnings)
        following.cancel()
        await asyncio.wait([following])
    (away,) = warnings()
    assert away.startswith("it cannot be reached: ")


async def slow_to_begin(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def slow_to_end(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _piece in range(600):
        await response.write(b"h")
        await asyncio.sleep(0.1)
    return response


async def ten_megabytes(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _piece in range(10):
            await response.write(f"{B}\n".encode() * (MIB // (len(B) + 1)))
    return response


def redirect_to(location: str) -> Callable[[web.Request], web.Response]:
    return lambda request: web.Response(status=302, headers={"Location": location})


def gzipped(request: web.Request) -> web.Response:
    return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})


@pytest.mark.usefixtures("little_patience")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda request: web.Response(status=503), "it answers 503 Service Unavailable"),
        (lambda request: web.Response(status=404, text=A), "it answers 404 Not Found"),
        (lambda request: web.Response(text="<html>"), "it answers with HTML or XML, not with a list of URLs: '<html>'"),
        (lambda request: web.Response(body=b"\xff\xfe\0"), "it answers with 3 bytes that are no text"),
        (gzipped, "it answers in the encoding gzip, which it was not asked for"),
        (slow_to_begin, "it does not answer in time (Timeout on reading data from socket)"),
        (slow_to_end, "it does not answer in time (not within 0.5 s)"),
        (ten_megabytes, f"its answer is larger than {MIB} bytes"),
        (redirect_to("http://192.0.2.1/list"), "it redirects to 'http://192.0.2.1/list', which is another server"),
        (redirect_to("http://localhost:9/"), "it redirects to 'http://localhost:9/', which is another server"),
        (redirect_to("file:///etc/passwd"), "it redirects to 'file:///etc/passwd', which is another server"),
        (redirect_to(""), "it redirects to 'nowhere', which is another server"),
        (redirect_to("/round"), "it redirects more than 5 times"),
    ],
)
async def test_a_bad_answer_is_told_once_and_changes_nothing(service: Service, warnings, answer, told: str) -> None:
    async with service.up(), observe(HANDLER, service.details) as sets:
        assert await ids(sets) == [A]
        service.answer = answer
        following = asyncio.ensure_future(ids(sets))
        await until(warnings)
        await service.until_asked()
        assert not following.done()
        service.lists(A, B)
        assert await following == [A, B]
    bad, *others, back = warnings()
    assert bad.startswith(told)
    assert bad not in others  # a machine that has much to do may be late with an answer, which is told, too
    assert back == "it answers again"


async def test_a_redirect_on_the_same_server_is_followed(service: Service, warnings) -> None:
    def answer(request: web.Request) -> web.Response:
        return redirect_to("/list")(request) if request.path == "/discovery" else web.Response(text=B)

    service.answer = answer
    async with service.up(), observe(HANDLER, service.details) as sets:
        assert await ids(sets) == [B]
    assert warnings() == []


async def test_a_list_of_one_mebibyte_is_taken(service: Service) -> None:
    lines = [f"http://127.0.0.1:9001/{number:08d}" for number in range(MIB // 31)]
    service.lists(*lines)
    async with service.up():
        assert [device.id for device in await first(HANDLER, service.details)] == lines


async def test_the_environments_proxy_is_not_asked_for_this_machine(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with service.up():
        assert [device.id for device in await first(HANDLER, service.details)] == [A]


async def test_the_environments_proxy_is_asked_for_others(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{service.port}")
    service.answer = lambda request: web.Response(text=f"http://{request.host}/seen-by-the-proxy")
    async with service.up():
        (device,) = await first(HANDLER, "http://discovery.invalid/list")
    assert device.id == "http://discovery.invalid/seen-by-the-proxy"
