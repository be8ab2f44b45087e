"""A stand-in for the program that Akri ships as its agent, which comes in an image that tests cannot reach.

It has upstream's interface and limits (Akri 0.13.26) and does the work with this collection's own agent:

- it takes no arguments; AGENT_NODE_NAME and DISCOVERY_HANDLERS_DIRECTORY have to be set, METRICS_PORT may be;
- it offers devices in /var/lib/kubelet/device-plugins and asks /var/lib/kubelet/pod-resources, whatever it is told;
- it binds agent-registration.sock in the directory of discovery handlers, which it does not make;
- it ends when its metrics port is taken. It serves nothing there, and on loopback only, where upstream binds 0.0.0.0.

    write_program(path)     a file that can be started as the agent
"""

import asyncio
import os
import shlex
import sys
import tempfile
from pathlib import Path
from unittest import mock

from edgelab.agent import agent
from edgelab.core.layout import Sockets
from edgelab.kube.client import connect
from edgelab.service.run import run_service

KUBELET = Path("/var/lib/kubelet")


def write_program(path: Path) -> Path:
    """Write a program that starts the stand-in by the tests' Python."""
    words = shlex.join([sys.executable, str(Path(__file__).resolve())])
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    path.chmod(0o755)
    return path


def main() -> int:
    """Run until a signal ends it."""
    if len(sys.argv) > 1:
        sys.exit("The agent takes no arguments.")
    node, handlers = os.environ["AGENT_NODE_NAME"], Path(os.environ["DISCOVERY_HANDLERS_DIRECTORY"])

    class UpstreamSockets(Sockets):
        """Where Akri's agent has its sockets."""

        def __init__(self, run: Path) -> None:
            super().__init__(run, KUBELET / "device-plugins")

        @property
        def handlers(self) -> Path:
            return handlers

    with tempfile.TemporaryDirectory() as directory, mock.patch.object(agent, "Sockets", UpstreamSockets):
        settings = agent.Settings(node, Path(directory, "state"), Path(directory), lost_handler_seconds=0)
        return run_service(lambda: work(settings), verbose=False)


async def work(settings: agent.Settings) -> None:
    """Hold the metrics port and be an agent."""
    port = int(os.environ.get("METRICS_PORT", "8080"))
    metrics = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
    client = connect(Path(os.environ["KUBECONFIG"]))
    try:
        async with metrics:
            await agent.Agent(client, settings).run()
    finally:
        await client.close()


if __name__ == "__main__":
    sys.exit(main())
