# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Takes every Configuration away while the agents run, and waits until they have taken back their Instances.

Raises LabError naming what is left when the time is over.
"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._kube import Cluster, LabError, Object
from ansible_collections.edgelab.akri.plugins.module_utils._manifests import Options, absent
from ansible_collections.edgelab.akri.plugins.module_utils._manifests_model import Manifest, result

_API_VERSION = "akri.sh/v0"


def drain(cluster: Cluster, *, timeout: float, dry_run: bool) -> dict[str, Any]:
    """Make sure that there is no Configuration and no Instance; returns the module's result."""
    deadline = time.monotonic() + timeout
    options = Options("edgelab", force=True, wait_established=False, recreate=False, timeout=timeout, dry_run=dry_run)
    configurations = [Manifest(body) for body in cluster.find_all(_API_VERSION, "Configuration")]
    told = result(absent(cluster, configurations, options))
    if configurations and not dry_run:
        _wait(cluster, deadline)
    return {"changed": told["changed"], "diff": told["diff"], "configurations": [one.title for one in configurations]}


def _wait(cluster: Cluster, deadline: float) -> None:
    left: list[Object] = []
    for left in cluster.follow(_API_VERSION, "Instance", seconds=max(0.0, deadline - time.monotonic())):
        if not left:
            return
    raise LabError(
        attempted="Wait until the agents have taken back their Instances",
        seen=f"These are still there: {', '.join(map(_title, left))}",
        cause="The agents that have to remove these finalizers do not run",
        remedy="Start them, or remove the finalizers if their nodes are gone for good",
    )


def _title(instance: Object) -> str:
    metadata = instance["metadata"]
    held = ", ".join(metadata.get("finalizers") or ["none"])
    return f"{metadata['namespace']}/{metadata['name']} (finalizers: {held})"
