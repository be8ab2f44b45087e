"""The controller's hands: the kinds it works with, and the one place that writes to the cluster.

All it writes is written as field manager `akri-controller`; Akri's own controller sets none (`unknown`).
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import GenericGlobalResource, GenericNamespacedResource, create_api_info
from lightkube.types import PatchType

from edgelab.controller.model import Owned
from edgelab.controller.plan import Plan
from edgelab.core.errors import LabError
from edgelab.core.model import Configuration, Instance, ObjectReference
from edgelab.kube.client import Configurations, Instances, is_conflict, is_missing
from edgelab.kube.events import Reporter

FIELD_MANAGER = "akri-controller"

log = logging.getLogger(__name__)


class Pods(GenericNamespacedResource):
    """Pods as plain data: a broker's spec is passed on with every field that the API server may know."""

    _api_info = create_api_info("", "v1", "Pod", "pods")


class Jobs(GenericNamespacedResource):
    """Jobs as plain data."""

    _api_info = create_api_info("batch", "v1", "Job", "jobs")


class Services(GenericNamespacedResource):
    """Services as plain data."""

    _api_info = create_api_info("", "v1", "Service", "services")


class Nodes(GenericGlobalResource):
    """Nodes as plain data."""

    _api_info = create_api_info("", "v1", "Node", "nodes")


_KINDS: Mapping[str, Any] = {"Pod": Pods, "Job": Jobs, "Service": Services}


class Writer:
    """Carries out plans. What the API server refuses is told by an Event on the object that asks for it."""

    def __init__(self, client: AsyncClient, reporter: Reporter) -> None:
        self._client, self._reporter = client, reporter
        self._deleted: set[str] = set()

    async def carry_out(self, plan: Plan, about: ObjectReference | None, namespace: str) -> None:
        """Delete, create and apply. Raises LabError when something was refused: it has to be tried again later."""
        for owned in plan.delete:
            await self._delete(owned)
        refused = [error for body in plan.create if (error := await self._create(body))]
        refused += [error for body in plan.apply if (error := await self._apply(body))]
        if refused and about:
            for message in refused:
                await self._reporter.warn(about, namespace, "BrokerRefused", message)
            raise LabError(attempted=f"Make what {about.kind} {about.name} asks for", seen=refused[0])

    def forget(self, uid: str) -> None:
        """An object is gone: its uid need not be remembered any longer."""
        self._deleted.discard(uid)

    async def _delete(self, owned: Owned) -> None:
        # Deletion goes by name: without this memory, an answer from a mirror that lags would hit the successor.
        if owned.uid in self._deleted:
            return
        self._deleted.add(owned.uid)
        log.info("delete %s %s/%s", owned.kind, owned.namespace, owned.name)
        try:
            await self._client.delete(_KINDS[owned.kind], owned.name, namespace=owned.namespace)
        except ApiError as error:
            if not is_missing(error):
                self._deleted.discard(owned.uid)
                raise

    async def _create(self, body: dict[str, Any]) -> str:
        try:
            await self._client.create(_typed(body), field_manager=FIELD_MANAGER)
        except ApiError as error:
            return "" if is_conflict(error) else _refusal(body, error)
        log.info("created %s", _title(body))
        return ""

    async def _apply(self, body: dict[str, Any]) -> str:
        try:
            await self._client.apply(_typed(body), field_manager=FIELD_MANAGER, force=True)
        except ApiError as error:
            return _refusal(body, error)
        log.info("applied %s", _title(body))
        return ""

    async def release(self, owner: Configuration | Instance, patch: list[dict[str, Any]]) -> None:
        """Apply a JSON Patch; fine when the object is gone. Raises LabError when it has changed meanwhile."""
        try:
            await self._client.patch(
                Instances if isinstance(owner, Instance) else Configurations,
                owner.name,
                patch,
                namespace=owner.namespace,
                patch_type=PatchType.JSON,
                field_manager=FIELD_MANAGER,
            )
        except ApiError as error:
            if not is_missing(error):
                raise LabError(attempted=f"Take a lost node out of {owner.name}", seen=str(error)) from error

    async def node_exists(self, name: str) -> bool:
        """Ask the API server itself: the mirror may lag behind a Node that was just made."""
        try:
            await self._client.get(Nodes, name)
        except ApiError as error:
            if is_missing(error):
                return False
            raise
        return True


def _typed(body: dict[str, Any]) -> Any:
    return _KINDS[body["kind"]].from_dict(body)


def _title(body: dict[str, Any]) -> str:
    return f"{body['kind']} {body['metadata']['namespace']}/{body['metadata']['name']}"


def _refusal(body: dict[str, Any], error: ApiError) -> str:
    """What the API server does not accept about an object; raises what is not about the object."""
    status = error.status
    if status.code in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, 422):
        return f"{_title(body)} was refused: {status.message}"
    raise error
