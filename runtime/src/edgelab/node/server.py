"""The node's HTTPS server: logs of containers, for those whom the cluster lets read them.

`/healthz` is open to everybody who reaches it; everything else wants a client certificate of the cluster's CA (401) and
the right to `nodes/proxy` of this node (403). Running commands in a Wasm module is not possible (501).
"""

import asyncio
import contextlib
import datetime
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from edgelab.core.errors import LabError
from edgelab.node.authn import Authorizer, user_of, verb_of
from edgelab.node.logs import LogOptions, Renderer, Tail, last, options, read, rotated, selected
from edgelab.node.seams import PodLogs
from edgelab.service.watching import watch_directory

log = logging.getLogger(__name__)

_END_SECONDS = 0.5
"""How long requests may go on when the node ends."""


class NodeServer:
    """Listens once `use` was called with a serving certificate; later calls renew that. Leave the block to stop it."""

    def __init__(self, address: str, port: int, client_ca: Path, authorizer: Authorizer, logs: PodLogs) -> None:
        self._address, self._port = address, port
        self._context = _tls(client_ca)
        self._runner = web.AppRunner(
            application(authorizer, logs), handler_cancellation=True, access_log=None, shutdown_timeout=_END_SECONDS
        )
        self._site: web.TCPSite | None = None

    async def __aenter__(self) -> "NodeServer":
        await self._runner.setup()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def listens(self) -> bool:
        """There is a serving certificate."""
        return self._site is not None

    async def use(self, pair: Path) -> None:
        """Take a certificate and its key, in one file, into use; raises LabError when the port is taken."""
        self._context.load_cert_chain(pair)
        if self._site:
            return
        site = web.TCPSite(self._runner, self._address, self._port, ssl_context=self._context)
        try:
            await site.start()
        except OSError as error:
            raise LabError(
                attempted=f"Listen on {self._address}:{self._port} for `kubectl logs`",
                seen=str(error),
                cause="Another program uses that port",
                remedy="End that program, or give the node another port",
            ) from error
        self._site = site
        log.info("serving logs on https://%s:%d", self._address, self._port)


def _tls(client_ca: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Optional, because /healthz needs none and a missing one deserves an answer that says so.
    context.verify_mode = ssl.CERT_OPTIONAL
    try:
        context.load_verify_locations(client_ca)
    except (OSError, ssl.SSLError) as error:
        raise LabError(f"Read the CA of clients {client_ca}", str(error), remedy="Run the playbook again") from error
    return context


def application(authorizer: Authorizer, logs: PodLogs) -> web.Application:
    """The routes of a kubelet's server that this node has, behind authentication and authorisation."""
    app = web.Application(middlewares=[_guard(authorizer)])
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", _container_logs(logs))
    for path in ("/exec/{rest:.*}", "/run/{rest:.*}", "/attach/{rest:.*}", "/portForward/{rest:.*}"):
        app.router.add_route("*", path, _not_implemented)
    return app


def _guard(authorizer: Authorizer) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/healthz":
            return await handler(request)
        user = user_of(request.get_extra_info("peercert"))
        if user is None:
            return _text(401, "Unauthorized: this server wants a client certificate of the cluster's CA")
        verb = verb_of(request.method)
        try:
            allowed = await authorizer.allows(user, verb)
        except LabError as error:
            return _text(503, str(error))
        if not allowed:
            return _text(403, f"Forbidden: user {user.name} may not {verb} nodes/proxy of this node")
        return await handler(request)

    return guard


async def _healthz(_request: web.Request) -> web.StreamResponse:
    return _text(200, "ok")


async def _not_implemented(_request: web.Request) -> web.StreamResponse:
    return _text(501, "A WebAssembly module has no shell, no second process and no ports: only its log can be read")


def _container_logs(logs: PodLogs) -> Handler:
    async def container_logs(request: web.Request) -> web.StreamResponse:
        try:
            wanted = options(request.query, datetime.datetime.now(datetime.UTC))
        except ValueError as error:
            return _text(400, str(error))
        container = (request.match_info["namespace"], request.match_info["pod"], request.match_info["container"])
        try:
            files = logs.log_files(*container)
        except LabError as error:
            # Not 404: the API server passes on the text of a 400 only.
            return _text(400, str(error))
        if wanted.previous and len(files) < 2:
            return _text(400, f"previous terminated container {container[2]!r} in pod {container[1]!r} not found")
        if not files:
            return _text(400, f"container {container[2]!r} in pod {container[1]!r} has not started yet")
        path = files[-2] if wanted.previous else files[-1]
        ended = None if wanted.previous or not wanted.follow else logs.ended(*container)
        return await _send(request, _texts(path, wanted, ended))

    return container_logs


async def _send(request: web.Request, texts: AsyncGenerator[bytes, None]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    # A reader who leaves ends this task: the log must be let go then, not when the garbage is collected.
    async with contextlib.aclosing(texts):
        async for text in texts:
            await response.write(text)
    await response.write_eof()
    return response


async def _texts(path: Path, wanted: LogOptions, ended: Awaitable[None] | None) -> AsyncGenerator[bytes, None]:
    """The text of a log: what is there, then, if an end is given to wait for, what comes until then."""
    renderer = Renderer(wanted)
    with contextlib.closing(Tail(path)) as tail, contextlib.ExitStack() as stack:
        watch = stack.enter_context(watch_directory(path.parent, growing=True)) if ended else None
        entries = selected(read([*rotated(path)]), wanted), selected(tail.lines(), wanted)
        present = (entry for part in entries for entry in part)
        yield renderer.text(present if wanted.tail is None else last(present, wanted.tail))
        if not (watch and ended):
            return
        over = asyncio.ensure_future(ended)
        stack.callback(over.cancel)
        while not renderer.exhausted:
            news = asyncio.ensure_future(watch.changed())
            try:
                done, _pending = await asyncio.wait((over, news), return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
            yield renderer.text(selected(tail.lines(), wanted))
            if over in done or (news in done and news.exception()):
                return


def _text(status: int, message: str) -> web.Response:
    return web.Response(status=status, text=message + "\n")
