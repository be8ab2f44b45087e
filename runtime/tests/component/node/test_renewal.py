"""A client certificate is renewed while connections with the former one are in use; over real TLS."""

import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from edgelab.kube.client import connect
from edgelab.kube.transport import RenewableTransport
from edgelab.node.identity import kubeconfig
from lightkube.resources.core_v1 import Node

MakeCa = Callable[[str], Any]


@contextlib.asynccontextmanager
async def api_server(ca: Any, seen: list[str]) -> AsyncIterator[int]:
    """Answers every request with a Node and notes whose certificate came with it."""

    async def answer(request: web.Request) -> web.Response:
        subject = request.get_extra_info("peercert")["subject"]
        seen.append(dict(pair for names in subject for pair in names)["commonName"])
        return web.json_response({"metadata": {"name": "n"}})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca.path))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(ca.issue("api", "servers"))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_requests_after_a_renewal_come_with_the_new_certificate(tmp_path: Path, make_ca: MakeCa) -> None:
    seen: list[str] = []
    ca, pair, config = make_ca("lab-ca"), tmp_path / "client.pem", tmp_path / "kubeconfig"
    async with api_server(ca, seen) as port:
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(ca.path)}
        config.write_text(json.dumps(kubeconfig(cluster, pair)))
        pair.write_bytes(ca.issue("first", "g").read_bytes())
        transport = RenewableTransport(config)
        client = connect(config, transport=transport)
        await client.get(Node, "n")
        pair.write_bytes(ca.issue("second", "g").read_bytes())
        await client.get(Node, "n")
        transport.renew()
        await client.get(Node, "n")
        await client.close()
    assert seen == ["first", "first", "second"]
