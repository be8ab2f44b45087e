# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A node asks the API server about itself, with the kubelet's own identity, until it is Ready."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node_model as model
from ansible_collections.edgelab.akri.plugins.module_utils._host import HostError, command

_SECONDS_BETWEEN = 2


def wait_ready(node: model.Node, seconds: float) -> None:
    """Until the node is Ready; raises HostError with what it last said and the end of the kubelet's log."""
    deadline = time.monotonic() + seconds
    while lacking := _lacking(node):
        if time.monotonic() > deadline:
            log = command(["journalctl", "--unit=kubelet", "--lines=5", "--output=cat", "--no-pager"]).strip()
            raise HostError(
                f"Wait until the node {node.name} is Ready: after {seconds:g} s it is not: {lacking}. The end of the "
                f"kubelet's log (journalctl -u kubelet):\n{log}"
            )
        time.sleep(_SECONDS_BETWEEN)


def readiness(node: Mapping[str, Any]) -> str:
    """What a Node object says of why it is not Ready; empty when it is."""
    for condition in node.get("status", {}).get("conditions") or ():
        if condition["type"] == "Ready":
            return "" if condition["status"] == "True" else f"{condition['reason']}: {condition['message']}"
    return "the kubelet has not told yet"


def _lacking(node: model.Node) -> str:
    try:
        return readiness(_ask(node))
    except FileNotFoundError:
        return "it has no identity yet"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{node.server}: {error}"


def _ask(node: model.Node) -> Mapping[str, Any]:
    context = ssl.create_default_context(cadata=node.ca)
    context.load_cert_chain(model.IDENTITY)
    server = urlsplit(node.server)
    connection = http.client.HTTPSConnection(server.hostname or "", server.port, timeout=30, context=context)
    try:
        connection.request("GET", f"/api/v1/nodes/{node.name}", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body: Mapping[str, Any] = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(body.get("message") or answer.reason)
    return body
