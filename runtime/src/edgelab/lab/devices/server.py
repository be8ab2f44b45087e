"""The discovery port of the mock devices: their list, and the control that plugs them.

`GET /discovery`      URLs of the devices that are there, one a line
`GET /devices`        every mock device as JSON, with what is set of it
`PATCH /devices/NAME` sets some of plugged, delay_seconds, failing, value (no camera has one); 400 for anything else

The list is for everybody who reaches the port. The control is for programs of this machine: it refuses other machines
(such as Pods, where this listens on the gateway of a cluster's network) and pages of other sites.
"""

import contextlib
import ipaddress
import json
from collections.abc import AsyncIterator
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from edgelab.core.errors import LabError
from edgelab.lab.devices.device import cannot_listen
from edgelab.lab.devices.fleet import Fleet
from edgelab.service.web import guard

_END_SECONDS = 0.5
_LARGEST_BODY = 4096


@contextlib.asynccontextmanager
async def serve_discovery(fleet: Fleet, address: str, port: int) -> AsyncIterator[int]:
    """Serve while the block runs; gives the port, which the kernel chooses for 0. Raises LabError when it is taken."""
    runner = web.AppRunner(application(fleet), access_log=None, shutdown_timeout=_END_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, address, port)
    try:
        try:
            await site.start()
        except OSError as error:
            raise cannot_listen(address, port, "the discovery of devices", error) from error
        yield site.port
    finally:
        await runner.cleanup()


def application(fleet: Fleet) -> web.Application:
    """The routes of the discovery port."""
    control = web.Application(middlewares=[_only_this_machine, guard()])
    control.router.add_get("", _list(fleet))
    control.router.add_patch("/{name}", _set(fleet))
    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_get("/discovery", _discovery(fleet))
    app.add_subapp("/devices", control)
    return app


@web.middleware
async def _only_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    peer, own = (request.get_extra_info(name, ("",))[0] for name in ("peername", "sockname"))
    # Whoever connects to an address of the machine that he is on does so from that same address.
    if peer != own and not ipaddress.ip_address(peer).is_loopback:
        return _text(HTTPStatus.FORBIDDEN, "Devices are set from the machine that they run on")
    return await handler(request)


def _discovery(fleet: Fleet) -> Handler:
    async def discovery(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="".join(f"{url}\n" for url in fleet.discovered()))

    return discovery


def _list(fleet: Fleet) -> Handler:
    async def devices(_request: web.Request) -> web.StreamResponse:
        return web.json_response(fleet.told())

    return devices


def _set(fleet: Fleet) -> Handler:
    async def change(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        try:
            return web.json_response(await fleet.change(name, json.loads(await request.read())))
        except KeyError:
            return _text(HTTPStatus.NOT_FOUND, f"There is no device {name}")
        except (ValueError, RecursionError) as error:
            return _text(HTTPStatus.BAD_REQUEST, str(error))
        except LabError as error:
            return _text(HTTPStatus.CONFLICT, str(error))

    return change


def _text(status: HTTPStatus, message: str) -> web.Response:
    return web.Response(status=status, text=message + "\n")
