"""The page's HTTP server, for browsers of this machine: see `service/web.py` for whom it refuses.

`GET /`              the page, with its style, script and icon beside it
`GET /events`        what it shows, as server-sent events: see view.py
`POST /devices/NAME` plugs a mock device: {"plugged": true} or {"plugged": false}
`GET /healthz`       `ok` while the process works
`GET /metrics`       numbers for Prometheus
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from importlib.resources import files

from aiohttp import web
from aiohttp.typedefs import Handler

from edgelab.core.errors import LabError
from edgelab.lab.devices.device import cannot_listen
from edgelab.lab.page.board import Board
from edgelab.lab.page.view import metrics
from edgelab.service.web import guard

_MOST_READERS = 64
_READER_SECONDS = 60.0
"""How long a reader may take to make room for an event."""
_END_SECONDS = 0.5
_LARGEST_BODY = 1024
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


@contextlib.asynccontextmanager
async def serve_page(board: Board, address: str, port: int) -> AsyncIterator[int]:
    """Serve while the block runs; gives the port, which the kernel chooses for 0. Raises LabError when it is taken."""
    runner = web.AppRunner(
        application(board), handler_cancellation=True, access_log=None, shutdown_timeout=_END_SECONDS
    )
    await runner.setup()
    site = web.TCPSite(runner, address, port)
    try:
        try:
            await site.start()
        except OSError as error:
            raise cannot_listen(address, port, "the page", error) from error
        yield site.port
    finally:
        await runner.cleanup()


def application(board: Board) -> web.Application:
    """The routes of the page."""
    app = web.Application(middlewares=[guard()], client_max_size=_LARGEST_BODY)
    app.on_response_prepare.append(_add_headers)
    for path, (name, kind) in _FILES.items():
        app.router.add_get(path, _file(files(__package__).joinpath("static", name).read_bytes(), kind))
    app.router.add_get("/events", _events(board))
    app.router.add_post("/devices/{name}", _plug(board))
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/metrics", _metrics(board))
    return app


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _file(content: bytes, kind: str) -> Handler:
    async def file(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=kind, charset="utf-8")

    return file


async def _healthz(_request: web.Request) -> web.StreamResponse:
    return _text(HTTPStatus.OK, "ok")


def _metrics(board: Board) -> Handler:
    async def numbers(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=metrics(board.live.view, board.live.readers))

    return numbers


def _events(board: Board) -> Handler:
    async def events(request: web.Request) -> web.StreamResponse:
        if board.live.readers >= _MOST_READERS:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, f"{_MOST_READERS} pages are open already")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def write(event: bytes) -> None:
            await asyncio.wait_for(response.write(event), _READER_SECONDS)

        try:
            await board.live.feed(write, board.clock)
        except (ConnectionError, TimeoutError):
            # Gone, or so slow that it is as good as gone; a page that lives connects again.
            if request.transport:
                request.transport.abort()
        return response

    return events


def _plug(board: Board) -> Handler:
    async def plug(request: web.Request) -> web.StreamResponse:
        try:
            asked = json.loads(await request.read())
        except (ValueError, RecursionError):
            asked = None
        match asked:
            case {"plugged": bool(plugged), **rest} if not rest:
                pass
            case _:
                return _text(HTTPStatus.BAD_REQUEST, 'Give {"plugged": true} or {"plugged": false}')
        try:
            await board.plug(request.match_info["name"], plugged=plugged)
        except LabError as error:
            return _text(HTTPStatus.BAD_GATEWAY, str(error))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    return plug


def _text(status: HTTPStatus, message: str) -> web.Response:
    return web.Response(status=status, text=message + "\n")
