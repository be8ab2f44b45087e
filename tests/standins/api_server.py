"""A stand-in for an API server, for tests of what only looks: Instances, Services, Pods and their logs, by plain HTTP.

For component tests, which have to make brokers speak and the server vanish at will; tests/integration has the real one.
"""

import asyncio
import datetime
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

Json = dict[str, Any]


_TOKEN = "a-token-of-these-tests"


@web.middleware
async def _known(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.headers.get("Authorization") != f"Bearer {_TOKEN}":
        return web.json_response({"kind": "Status", "code": 401, "message": "Unauthorized"}, status=401)
    return await handler(request)


class FakeApi:
    """Stands in for an API server that has Instances, Services, Pods and their followed logs in one namespace, no more.

    Lists, watches and logs as the real one does, for who has the token; 404 for what it does not have. `away()` closes
    its port and every connection, `back()` opens the same port again.
    """

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[str] = []
        self._objects: dict[str, dict[str, Json]] = {"instances": {}, "pods": {}, "services": {}}
        self._logs: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self._version = 0
        self._news = asyncio.Event()
        self._changes: list[tuple[str, str, Json]] = []
        self._runner: web.AppRunner | None = None

    async def back(self) -> None:
        app = web.Application(middlewares=[_known])
        app.router.add_get("/apis/akri.sh/v0/namespaces/default/{kind:instances}", self._list_or_watch)
        app.router.add_get("/api/v1/namespaces/default/{kind:pods|services}", self._list_or_watch)
        app.router.add_get("/api/v1/namespaces/default/pods/{name}/log", self._log)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site.port

    async def away(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def put(self, kind: str, body: Json) -> None:
        self._version += 1
        name = body["metadata"]["name"]
        verb = "MODIFIED" if name in self._objects[kind] else "ADDED"
        body["metadata"]["resourceVersion"] = str(self._version)
        self._objects[kind][name] = body
        self._tell(kind, verb, body)

    def remove(self, kind: str, name: str) -> None:
        body = self._objects[kind].pop(name)
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self._tell(kind, "DELETED", body)

    def names(self, kind: str) -> list[str]:
        return list(self._objects[kind])

    def say(self, pod: str, text: str, at: float | None = None) -> None:
        self._logs[pod].append((datetime.datetime.now().timestamp() if at is None else at, text))
        self._wake()

    def _tell(self, kind: str, verb: str, body: Json) -> None:
        self._changes.append((kind, verb, json.loads(json.dumps(body))))
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _list_or_watch(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"]
        self.requests.append(str(request.rel_url))
        if request.query.get("watch") != "true":
            items = list(self._objects[kind].values())
            return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        since = int(request.query["resourceVersion"])
        done = sum(int(body["metadata"]["resourceVersion"]) <= since for _, _, body in self._changes)
        while True:
            news = self._news
            for changed, verb, body in self._changes[done:]:
                if changed == kind:
                    await response.write(json.dumps({"type": verb, "object": body}).encode() + b"\n")
            done = len(self._changes)
            await news.wait()

    async def _log(self, request: web.Request) -> web.StreamResponse:
        name, query = request.match_info["name"], request.query
        self.requests.append(str(request.rel_url))
        if name not in self._objects["pods"]:
            return web.json_response({"kind": "Status", "code": 404, "message": f'pods "{name}" not found'}, status=404)
        uid = self._objects["pods"][name]["metadata"]["uid"]
        since = datetime.datetime.fromisoformat(query.get("sinceTime", "1970-01-01T00:00:00Z")).timestamp()
        # As a kubelet does: sinceTime in whole seconds, tailLines of what is left.
        past = [line for line in self._logs[uid] if line[0] >= int(since)]
        sent = len(self._logs[uid]) - len(past[-int(query["tailLines"]) :])
        response = web.StreamResponse()
        await response.prepare(request)
        while (self._objects["pods"].get(name) or {"metadata": {"uid": ""}})["metadata"]["uid"] == uid:
            news = self._news
            for at, text in self._logs[uid][sent:]:
                time = datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
                await response.write(f"{time} {text}\n".encode())
            sent = len(self._logs[uid])
            await news.wait()
        return response


def write_kubeconfig(path: Path, port: int) -> Path:
    """A kubeconfig for the stand-in."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "x", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    path.write_text(json.dumps(config))
    return path
