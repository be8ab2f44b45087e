# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The frame of a module that works with a cluster: its options, the connection, and its main().

Options twin: plugins/doc_fragments/kube.py. What can be done with a cluster: `_kube_client`.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib
from ansible_collections.edgelab.akri.plugins.module_utils._kube_client import (
    MISSING,
    ApiError,
    Cluster,
    LabError,
    NoKubeconfigError,
    Object,
    UnreachableError,
)
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import lacking

try:
    import yaml
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import load_kube_config
except ImportError:
    pass  # MISSING names it

__all__ = [
    "KUBE_SPEC",
    "ApiError",
    "Cluster",
    "LabError",
    "NoKubeconfigError",
    "Object",
    "UnreachableError",
    "connect",
    "run",
]

KUBE_SPEC: dict[str, Any] = {
    "kubeconfig": {
        "type": "path",
        "required": True,
        "fallback": (env_fallback, ["K8S_AUTH_KUBECONFIG", "KUBECONFIG"]),
    },
    "context": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_CONTEXT"])},
}


def connect(kubeconfig: str, context: str | None = None) -> Cluster:
    """The cluster of a kubeconfig (several paths, joined by colons, as in KUBECONFIG). Talks to nobody yet."""
    if not _exists(kubeconfig):
        raise NoKubeconfigError(
            attempted="Connect to the cluster",
            seen=f"There is no kubeconfig at {kubeconfig}",
            remedy="Run the playbook that makes the lab first, or name another kubeconfig",
        )
    configuration = Configuration()
    try:
        load_kube_config(kubeconfig, context, client_configuration=configuration, persist_config=False)
    # The client takes the shape of the file for granted: one of another shape is any of the last three.
    except (ConfigException, OSError, ValueError, yaml.YAMLError, TypeError, AttributeError, KeyError) as error:
        raise LabError(
            attempted=f"Read the kubeconfig {kubeconfig}",
            seen=f"{type(error).__name__}: {error}",
            cause="It is not a kubeconfig, or a damaged one",
            remedy="Name another, or see what is wrong with it by `kubectl config view --kubeconfig FILE`",
        ) from error
    if is_loopback(configuration.host):
        configuration.proxy = None
    return Cluster(configuration)


def _exists(kubeconfig: str) -> bool:
    return any(Path(path).is_file() for path in kubeconfig.split(os.pathsep))


def _without_library(module: AnsibleModule, would: Mapping[str, Any]) -> None:
    if module.check_mode and _exists(module.params["kubeconfig"]):
        module.warn(f"{missing_required_lib(MISSING[0])} Nothing could be compared.")
        module.exit_json(changed=False)
    lacking(module, MISSING[0], **({"changed": False} if module.params.get("state") == "absent" else would))


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine, so that no proxy may stand in between."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def run(module: AnsibleModule, work: Callable[[Cluster], dict[str, Any]], *, would: Mapping[str, Any]) -> None:
    """The frame of main(): exit with what work returns, or fail with the text of its LabError (and its `details`).

    Without a kubeconfig there is nothing to remove (state absent changes nothing); in check mode an earlier task
    would have made it, so the module exits with `would` and changed. In check mode an API server that does not
    answer, or a runtime that is yet to come to a lab that is there, is a warning and no change.
    """
    if MISSING:
        _without_library(module, would)
    try:
        result = work(connect(module.params["kubeconfig"], module.params["context"]))
    except NoKubeconfigError as error:
        if module.params.get("state") == "absent":
            module.exit_json(changed=False)
        if not module.check_mode:
            module.fail_json(msg=str(error))
        module.exit_json(**{"changed": True, **would})
    except UnreachableError as error:
        if not module.check_mode:
            module.fail_json(msg=str(error))
        module.warn(f"{error} Nothing could be compared.")
        module.exit_json(changed=False)
    except LabError as error:
        module.fail_json(msg=str(error), **getattr(error, "details", {}))
    module.exit_json(**result)
