"""The HTTP server of the page of HTTP devices: what all pages have (site.py), and

`POST /devices/NAME` plugs a mock device: {"plugged": true} or {"plugged": false}
`GET /metrics`       numbers for Prometheus
"""

import json
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from edgelab.core.errors import LabError
from edgelab.lab.page import site
from edgelab.lab.page.board import Board
from edgelab.lab.page.view import metrics

_PAGE = {
    "/": f"{__package__}:index.html",
    "/base.css": f"{__package__}:base.css",
    "/page.css": f"{__package__}:page.css",
    "/live.js": f"{__package__}:live.js",
    "/page.js": f"{__package__}:page.js",
    "/icon.svg": f"{__package__}:icon.svg",
}


def serve_page(board: Board, address: str, port: int) -> AbstractAsyncContextManager[int]:
    """Serve while the block runs; gives the port, which the kernel chooses for 0. Raises LabError when it is taken."""
    app = site.application(board.live, board.clock, _PAGE)
    app.router.add_post("/devices/{name}", _plug(board))
    app.router.add_get("/metrics", _metrics(board))
    return site.serve(app, address, port)


def _metrics(board: Board) -> Handler:
    async def numbers(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=metrics(board.live.view, board.live.readers))

    return numbers


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
                return site.text(HTTPStatus.BAD_REQUEST, 'Give {"plugged": true} or {"plugged": false}')
        try:
            await board.plug(request.match_info["name"], plugged=plugged)
        except LabError as error:
            return site.text(HTTPStatus.BAD_GATEWAY, str(error))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    return plug
