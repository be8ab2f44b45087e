"""What the HTTP servers of all pages have in common, for browsers of this machine: see `service/web.py`.

`GET /events`        what the page shows, as server-sent events: see live.py
`GET /healthz`       `ok` while the process works
and the page's files.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from importlib.resources import files

from aiohttp import web
from aiohttp.typedefs import Handler

from edgelab.lab.devices.device import cannot_listen
from edgelab.lab.page.live import H, Live, R
from edgelab.service.web import guard

_MOST_READERS = 64
_READER_SECONDS = 60.0
"""How long a reader may take to make room for an event."""
_END_SECONDS = 0.5
_LARGEST_BODY = 1024
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@contextlib.asynccontextmanager
async def serve(app: web.Application, address: str, port: int) -> AsyncIterator[int]:
    """Serve while the block runs; gives the port, which the kernel chooses for 0. Raises LabError when it is taken."""
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=_END_SECONDS)
    await runner.setup()
    listener = web.TCPSite(runner, address, port)
    try:
        try:
            await listener.start()
        except OSError as error:
            raise cannot_listen(address, port, "the page", error) from error
        yield listener.port
    finally:
        await runner.cleanup()


def application(live: Live[H, R], clock: Callable[[], float], page: Mapping[str, str]) -> web.Application:
    """The routes of every page; page: its files by their paths, as PACKAGE:NAME of package data in `static`."""
    app = web.Application(middlewares=[guard()], client_max_size=_LARGEST_BODY)
    app.on_response_prepare.append(_add_headers)
    for path, file in page.items():
        app.router.add_get(path, _file(file))
    app.router.add_get("/events", _events(live, clock))
    app.router.add_get("/healthz", _healthz)
    return app


def text(status: HTTPStatus, message: str) -> web.Response:
    """An answer in words."""
    return web.Response(status=status, text=message + "\n")


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-cache")


def _file(file: str) -> Handler:
    package, name = file.split(":")
    content = files(package).joinpath("static", name).read_bytes()
    kind = _TYPES[name.rpartition(".")[2]]

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=kind, charset="utf-8")

    return answer


async def _healthz(_request: web.Request) -> web.StreamResponse:
    return text(HTTPStatus.OK, "ok")


def _events(live: Live[H, R], clock: Callable[[], float]) -> Handler:
    async def events(request: web.Request) -> web.StreamResponse:
        if live.readers >= _MOST_READERS:
            return text(HTTPStatus.SERVICE_UNAVAILABLE, f"{_MOST_READERS} pages are open already")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def write(event: bytes) -> None:
            async with asyncio.timeout(_READER_SECONDS):
                await response.write(event)

        try:
            await live.feed(write, clock)
        except (ConnectionError, TimeoutError):
            # Gone, or so slow that it is as good as gone; a page that lives connects again.
            if request.transport:
                request.transport.abort()
        return response

    return events
