"""Connecting to the API server, and the resource classes of Akri's custom resources."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
from lightkube import AsyncClient, KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource

from edgelab.core.errors import LabError
from edgelab.core.model import GROUP, VERSION

Configurations: Any = create_namespaced_resource(GROUP, VERSION, "Configuration", "configurations")
Instances: Any = create_namespaced_resource(GROUP, VERSION, "Instance", "instances")


def connect(kubeconfig: Path) -> AsyncClient:
    """A client for the current context of a kubeconfig; proxies of the environment are never used.

    Raises LabError when the file cannot be read or has no usable context.
    """
    try:
        config = KubeConfig.from_file(kubeconfig).get()
    except Exception as error:  # lightkube lets errors of three libraries through here
        raise LabError(
            attempted=f"Read the kubeconfig {kubeconfig}",
            seen=f"{type(error).__name__}: {error}",
            remedy="Run the playbook again: it writes the kubeconfigs of the lab",
        ) from error
    return AsyncClient(config, trust_env=False, timeout=httpx2.Timeout(30))


def is_missing(error: ApiError) -> bool:
    """The object, or its whole kind, does not exist."""
    return error.status.code == HTTPStatus.NOT_FOUND


def is_conflict(error: ApiError) -> bool:
    """Somebody else was first: the name is taken, or the object or field was changed by another manager."""
    return error.status.code == HTTPStatus.CONFLICT
