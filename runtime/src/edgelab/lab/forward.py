"""`edgelab forward`: a port of a Pod at a port of this machine, until it is told to end.

Each connection goes its own way through the API server and the kubelet (`kube/tunnel.py`), so the Pod may go and come
back under its name, and this machine need not reach the Pod's network. A connection that is made while the Pod does not
run is closed at once, and the log says why. (kubectl port-forward ends with the Pod, and when a viewer breaks off.)
"""

import argparse
import asyncio
import contextlib
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from edgelab.core.errors import LabError
from edgelab.kube.tunnel import PodPort, TunnelError, carry
from edgelab.service.run import run_service
from edgelab.service.sockets import bind
from edgelab.service.status import serve_status
from edgelab.service.web import keep_short
from edgelab.service.where import address_and_port

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `edgelab forward`."""
    add = parser.add_argument
    add("--kubeconfig", type=Path, required=True, metavar="FILE", help="identity to work with: create pods/portforward")
    add("--namespace", default="default", help="of the Pod (default: default)")
    add("--pod", required=True, help="its name")
    add("--port", type=int, required=True, help="where its container listens")
    add("--listen", type=address_and_port, required=True, metavar="ADDRESS:PORT", help="where this machine has it")
    add("--run", type=Path, required=True, metavar="DIR", help="the lab's run directory")
    add("--name", default="forward", help="name of the status socket in it (default: forward)")
    add("--verbose", action="store_true", help="log more")


def run(arguments: argparse.Namespace) -> int:
    """Forward until told to end; returns the exit status."""
    return run_service(partial(_serve, arguments), verbose=arguments.verbose)


class Forward:
    """Connections of ours, each carried to the Pod."""

    def __init__(self, session: aiohttp.ClientSession, kubeconfig: Path, to: PodPort) -> None:
        self._session, self._kubeconfig, self._to = session, kubeconfig, to
        self._open = 0

    async def status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """How many connections are carried."""
        return {"ready": True, "connections": self._open}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until it ends; why it could not be carried is told in the log."""
        keep_short(writer.transport)
        self._open += 1
        try:
            await carry(self._session, self._kubeconfig, self._to, reader, writer)
        except (TunnelError, LabError) as error:
            log.warning("cannot reach port %s of the Pod %s: %s", self._to.port, self._to.pod, error)
        except OSError as error:
            log.debug("a connection broke off: %s", error)
        finally:
            self._open -= 1
            writer.close()


async def _serve(arguments: argparse.Namespace) -> None:
    to = PodPort(arguments.namespace, arguments.pod, arguments.port)
    async with contextlib.AsyncExitStack() as stack:
        # Each connection is a lasting one of its own, which aiohttp's limit of 100 is not meant for.
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        forward = Forward(await stack.enter_async_context(session), arguments.kubeconfig, to)
        server = await asyncio.start_server(forward.connected, sock=bind(*arguments.listen))
        await stack.enter_async_context(server)
        operations = {"status": forward.status}
        await stack.enter_async_context(serve_status(arguments.run / f"{arguments.name}.sock", operations))
        await server.serve_forever()
