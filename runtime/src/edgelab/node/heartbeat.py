"""The node's Lease: how the control plane knows that the node is alive."""

import asyncio
import datetime
import logging
from collections.abc import Callable
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.resources.coordination_v1 import Lease
from lightkube.types import PatchType

log = logging.getLogger(__name__)

NAMESPACE = "kube-node-lease"

DURATION_SECONDS = 40
"""A kubelet's; Krustlet's 300 would hide a dead node from those who read it."""

RENEW_SECONDS = 10.0


async def keep_lease(client: AsyncClient, node: str, uid: Callable[[], str]) -> None:
    """Renew the Lease, owned by the Node with that uid, for ever; failures are logged and tried again."""
    failures = 0
    while True:
        try:
            await client.patch(
                Lease,
                node,
                lease(node, uid(), datetime.datetime.now(datetime.UTC)),
                namespace=NAMESPACE,
                patch_type=PatchType.APPLY,
                field_manager="edgelab-node",
                force=True,
            )
            failures = 0
        except httpx2.HTTPError as error:
            failures += 1
            log.log(logging.WARNING if failures == 3 else logging.DEBUG, "cannot renew the Lease: %s", error)
        await asyncio.sleep(RENEW_SECONDS if not failures else 1.0)


def lease(node: str, uid: str, now: datetime.datetime) -> dict[str, Any]:
    """The Lease as it is applied."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": node, "namespace": NAMESPACE, "ownerReferences": [owner]},
        "spec": {
            "holderIdentity": node,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }
