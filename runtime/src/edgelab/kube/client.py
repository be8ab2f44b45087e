"""Connecting to the API server, and the resource classes of Akri's custom resources."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from lightkube import AsyncClient, KubeConfig
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ApiError, ConfigError
from lightkube.generic_resource import create_namespaced_resource

from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.core.model import GROUP, VERSION

Configurations: Any = create_namespaced_resource(GROUP, VERSION, "Configuration", "configurations")
Instances: Any = create_namespaced_resource(GROUP, VERSION, "Instance", "instances")

T = TypeVar("T")

log = logging.getLogger(__name__)


def connect(kubeconfig: Path | None, *, transport: httpx2.AsyncBaseTransport | None = None) -> AsyncClient:
    """A client for the current context of a kubeconfig, or, without one, for the service account of the Pod we are in.

    Proxies of the environment are never used; a service account's token is read again when it has been replaced.
    transport: what connects in place of the kubeconfig's CA and certificates, if any.
    Raises LabError when the file cannot be read or has no usable context, or when this is no Pod.
    """
    config = _of_service_account() if kubeconfig is None else read_kubeconfig(kubeconfig)
    return AsyncClient(config, trust_env=False, timeout=httpx2.Timeout(30), transport=transport)


def server_url(kubeconfig: Path) -> str:
    """The URL of the API server of a kubeconfig's current context. Raises LabError as connect does."""
    config = read_kubeconfig(kubeconfig)
    assert config is not None
    return config.cluster.server


def read_kubeconfig(kubeconfig: Path) -> SingleConfig | None:
    """The current context of a kubeconfig; raises LabError when the file cannot be read or has no usable context."""
    try:
        return KubeConfig.from_file(kubeconfig).get()
    except Exception as error:  # lightkube lets errors of three libraries through here
        raise LabError(
            attempted=f"Read the kubeconfig {kubeconfig}",
            seen=f"{type(error).__name__}: {error}",
            remedy="Run the playbook again: it writes the kubeconfigs of the lab",
        ) from error


def _of_service_account() -> SingleConfig | None:
    try:
        return KubeConfig.from_service_account().get()
    except (ConfigError, KeyError) as error:
        raise LabError(
            attempted="Use the service account of the Pod that this runs in",
            seen=f"{type(error).__name__}: {error}",
            cause="This runs in no Pod, or in one with automountServiceAccountToken: false",
            remedy="Say with --kubeconfig which cluster to work with",
        ) from error


def is_missing(error: ApiError) -> bool:
    """The object, or its whole kind, does not exist."""
    return error.status.code == HTTPStatus.NOT_FOUND


def is_conflict(error: ApiError) -> bool:
    """Somebody else was first: the name is taken, or the object or field was changed by another manager."""
    return error.status.code == HTTPStatus.CONFLICT


def is_unauthorized(error: ApiError) -> bool:
    """The API server does not know who asks: the certificate or token is unknown, expired or revoked."""
    return error.status.code == HTTPStatus.UNAUTHORIZED


def is_passing(error: httpx2.HTTPError) -> bool:
    """The same request may well succeed in a moment: nobody answered, or the API server is not ready or too busy."""
    if isinstance(error, ApiError):
        code = error.status.code or 0
        return code >= HTTPStatus.INTERNAL_SERVER_ERROR or code == HTTPStatus.TOO_MANY_REQUESTS
    return True


async def until_answered(
    call: Callable[[], Awaitable[T]],
    *,
    backoff: Backoff = Backoff(0.2, 5.0),
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Repeat a request until the API server answers it; raises its ApiError when that answer is a lasting no."""
    failures = 0
    while True:
        try:
            return await call()
        except httpx2.HTTPError as error:
            if not is_passing(error):
                raise
            failures += 1
            log.log(logging.WARNING if failures == 3 else logging.DEBUG, "the API server does not answer: %s", error)
        await sleep(backoff.delay(failures))
