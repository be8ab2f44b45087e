"""The HTTP server of the page of cameras: what all pages have (site.py), and

`GET /cameras/stream`              every camera's frames, as one multipart body; each part names its camera
`GET /cameras/INSTANCE/stream`     one camera's frames, for an image of a page or any program that shows MJPEG
`GET /cameras/INSTANCE/frame.jpg`  its newest frame, as soon as there is one
`GET /metrics`                     numbers for Prometheus

Pictures are passed on as they came. A viewer that reads slowly misses frames; one that has not read for
STALLED_SECONDS is dropped. Browsers open six connections to a server, so the page has one stream for all cameras.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from edgelab.lab.page import site
from edgelab.lab.page.video.record import Frame
from edgelab.lab.page.video.rows import PATIENCE_SECONDS
from edgelab.lab.page.video.view import metrics
from edgelab.lab.page.video.viewers import MOST_VIEWERS, FullError, Viewer
from edgelab.lab.page.video.wall import Wall
from edgelab.service.multipart import OPENING, STREAM_TYPE, part
from edgelab.service.web import keep_short

STALLED_SECONDS = 20.0

_PAGE = {
    "/": f"{__package__}:index.html",
    "/base.css": f"{site.__package__}:base.css",
    "/page.css": f"{__package__}:page.css",
    "/live.js": f"{site.__package__}:live.js",
    "/page.js": f"{__package__}:page.js",
    "/pictures.js": f"{__package__}:pictures.js",
    "/icon.svg": f"{__package__}:icon.svg",
}
_FRESH = {"Cache-Control": "no-store"}


def serve_page(
    wall: Wall, address: str, port: int, *, stalled_seconds: float = STALLED_SECONDS
) -> AbstractAsyncContextManager[int]:
    """Serve while the block runs; gives the port, which the kernel chooses for 0. Raises LabError when it is taken."""
    app = site.application(wall.live, wall.clock, _PAGE)
    app.router.add_get("/metrics", _metrics(wall))
    app.add_subapp("/cameras", _cameras(wall, stalled_seconds))
    return site.serve(app, address, port)


def _cameras(wall: Wall, stalled_seconds: float) -> web.Application:
    stream = _stream(wall, stalled_seconds)
    app = web.Application(middlewares=[_no_other_site, _known(wall)])
    app.router.add_get("/stream", stream, allow_head=False)
    app.router.add_get("/{camera}/stream", stream, allow_head=False)
    app.router.add_get("/{camera}/frame.jpg", _frame(wall))
    return app


@web.middleware
async def _no_other_site(request: web.Request, handler: Handler) -> web.StreamResponse:
    # They could not see the pictures, but take all viewers' places.
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return site.text(HTTPStatus.FORBIDDEN, "Pages of other sites may not show cameras")
    return await handler(request)


def _known(wall: Wall) -> Middleware:
    @web.middleware
    async def known(request: web.Request, handler: Handler) -> web.StreamResponse:
        camera = request.match_info.get("camera")
        if camera is not None and wall.record(camera) is None:
            return site.text(HTTPStatus.NOT_FOUND, f"There is no camera {camera}")
        try:
            return await handler(request)
        except FullError:
            return site.text(HTTPStatus.SERVICE_UNAVAILABLE, f"{MOST_VIEWERS} streams are open already")

    return known


def _stream(wall: Wall, stalled_seconds: float) -> Handler:
    async def stream(request: web.Request) -> web.StreamResponse:
        with wall.viewers.looking(request.match_info.get("camera")) as viewer:
            response = web.StreamResponse(headers={"Content-Type": STREAM_TYPE, **_FRESH})
            await response.prepare(request)
            transport = request.transport
            if transport is None:
                return response
            keep_short(transport)
            try:
                await response.write(OPENING)
                await _show(viewer, response, stalled_seconds)
            except (TimeoutError, ConnectionError):
                # A graceful end would wait for the viewer to read.
                transport.abort()
            return response

    return stream


async def _show(viewer: Viewer, response: web.StreamResponse, stalled_seconds: float) -> None:
    while True:
        for camera, frame in viewer.fresh():
            async with asyncio.timeout(stalled_seconds):
                await response.write(part(frame.jpeg, _headers(camera, frame)))
        await viewer.news()


def _headers(camera: str, frame: Frame) -> dict[str, str]:
    return {"Content-Location": f"/cameras/{camera}/frame.jpg", "X-Timestamp": f"{frame.at:.6f}"}


def _frame(wall: Wall) -> Handler:
    async def newest(request: web.Request) -> web.StreamResponse:
        camera = request.match_info["camera"]
        try:
            with wall.viewers.looking(camera) as viewer:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    frame = await _fresh(viewer, wall)
        except TimeoutError:
            return site.text(HTTPStatus.SERVICE_UNAVAILABLE, f"{camera} gives no frame")
        return web.Response(body=frame.jpeg, content_type="image/jpeg", headers=_FRESH | _headers(camera, frame))

    return newest


async def _fresh(viewer: Viewer, wall: Wall) -> Frame:
    while True:
        for _name, frame in viewer.fresh():
            if wall.clock() - frame.arrived < PATIENCE_SECONDS:
                return frame
        await viewer.news()


def _metrics(wall: Wall) -> Handler:
    async def numbers(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=metrics(wall.live.view, wall.live.readers, wall.clock()))

    return numbers
