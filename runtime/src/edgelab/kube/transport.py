"""A connection to the API server whose client certificate can be renewed while it is in use."""

import asyncio
from pathlib import Path

import httpx2
from lightkube.config.client_adapter import verify_cluster

from edgelab.kube.client import read_kubeconfig


class RenewableTransport(httpx2.AsyncBaseTransport):
    """HTTP over TLS with the CA and client certificate of a kubeconfig.

    `renew()` reads them again: requests from then on use new connections. Those under way, such as watches, end in
    their own time: the API server looks at a certificate's validity when a request begins.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._current = self._make()
        self._former: list[httpx2.AsyncHTTPTransport] = []

    def _make(self) -> httpx2.AsyncHTTPTransport:
        config = read_kubeconfig(self._kubeconfig)
        assert config
        assert config.user
        context = verify_cluster(config.cluster, config.user, config.abs_file, trust_env=False)
        # The default limit of 100 connections would be reached by Pods that all wait for an image or a token.
        return httpx2.AsyncHTTPTransport(verify=context, trust_env=False, limits=httpx2.Limits(max_connections=None))

    def renew(self, *, keep_seconds: float = 600.0) -> None:
        """Use the kubeconfig as it is now; connections of before are closed after keep_seconds."""
        former, self._current = self._current, self._make()
        self._former.append(former)
        loop = asyncio.get_running_loop()
        loop.call_later(keep_seconds, lambda: loop.create_task(self._drop(former)))

    async def _drop(self, former: httpx2.AsyncHTTPTransport) -> None:
        self._former.remove(former)
        await former.aclose()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        return await self._current.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in (*self._former, self._current):
            await transport.aclose()
