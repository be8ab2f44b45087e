"""Connections to a port of a Pod through the API server and the kubelet of its node: Kubernetes' port forwarding.

Each is a WebSocket of its own in the subprotocol v4.channel.k8s.io, as kubelets speak it: the first byte of a message
is its channel, 0 for data and 1 for what went wrong, and the first message that comes on each has the port, two bytes.
It knows no connection that is closed on one side: when one side ends, all of it does.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from lightkube.config.client_adapter import verify_cluster

from edgelab.kube.client import read_kubeconfig

_PROTOCOL = "v4.channel.k8s.io"
_DATA = b"\0"
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class PodPort:
    """A port that a Pod's container listens on, on any of its addresses."""

    namespace: str
    pod: str
    port: int


class TunnelError(Exception):
    """Text: what API server or kubelet said instead of carrying a connection."""


async def carry(
    session: aiohttp.ClientSession,
    kubeconfig: Path,
    to: PodPort,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Carry what a connection of ours reads and writes to a Pod's port and back, until either side ends it.

    The kubeconfig, which has a token or a client certificate, is read anew: they may have been renewed. Raises
    TunnelError, LabError for a kubeconfig that cannot be read, and OSError when our side broke off.
    """
    config = read_kubeconfig(kubeconfig)
    assert config
    assert config.user
    url = f"{config.cluster.server}/api/v1/namespaces/{to.namespace}/pods/{to.pod}/portforward?ports={to.port}"
    headers = {"Authorization": f"Bearer {config.user.token}"} if config.user.token else {}
    trust = verify_cluster(config.cluster, config.user, config.abs_file, trust_env=False)
    try:
        async with session.ws_connect(url, protocols=(_PROTOCOL,), headers=headers, ssl=trust) as tunnel:
            await _until_either_ends(_up(reader, tunnel), _down(tunnel, writer))
    except aiohttp.WSServerHandshakeError as error:
        raise TunnelError(f"the API server answered {error.status} to {url}") from error
    except aiohttp.ClientError as error:
        raise TunnelError(f"{type(error).__name__}: {error}") from error


async def _up(reader: asyncio.StreamReader, tunnel: aiohttp.ClientWebSocketResponse) -> None:
    while data := await reader.read(_PIECE):
        await tunnel.send_bytes(_DATA + data)


async def _down(tunnel: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
    opened: set[bytes] = set()
    async for message in tunnel:
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise TunnelError(f"a message of the kind {message.type.name} came: {message.data}")
        channel, data = message.data[:1], message.data[1:]
        if channel not in opened:  # the port
            opened.add(channel)
        elif channel == _DATA:
            writer.write(data)
            await writer.drain()
        else:
            raise TunnelError(data.decode(errors="replace").strip())


async def _until_either_ends(*ways: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()
