"""Writing the status of Pods to the API server, only when it differs from what was written last."""

import logging
from collections.abc import Mapping
from typing import Any

from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.models.core_v1 import Pod
from lightkube.resources.core_v1 import PodStatus
from lightkube.types import PatchType

from edgelab.kube.client import is_conflict, is_missing

log = logging.getLogger(__name__)


class StatusWriter:
    """Remembers what it wrote for each Pod, by uid."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._written: dict[str, Mapping[str, Any]] = {}

    def before(self, pod: Pod) -> Pod:
        """The Pod with the status that was written last, which a watch may not have told yet."""
        assert pod.metadata is not None
        written = self._written.get(pod.metadata.uid or "")
        if written is None:
            return pod
        known = pod.to_dict()
        return Pod.from_dict(known | {"status": merged(known.get("status") or {}, written)})  # type: ignore[return-value]

    async def write(self, pod: Pod, status: Mapping[str, Any]) -> None:
        """Patch the status; a Pod that is gone or was replaced by another of its name is left alone."""
        assert pod.metadata is not None
        uid = pod.metadata.uid or ""
        if self._written.get(uid) == status:
            return
        # The uid makes the API server refuse the patch for a later Pod of the same name.
        body = {"metadata": {"uid": uid}, "status": status}
        try:
            await self._client.patch(
                PodStatus,
                pod.metadata.name or "",
                body,
                namespace=pod.metadata.namespace,
                patch_type=PatchType.STRATEGIC,
            )
        except ApiError as error:
            if not (is_missing(error) or is_conflict(error)):
                raise
            log.debug("status of %s not written: %s", pod.metadata.name, error)
        self._written[uid] = status

    def forget(self, uid: str) -> None:
        """Drop what was written for a Pod that is gone."""
        self._written.pop(uid, None)


def merged(known: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """A status after a patch: conditions of others are kept, as the API server does."""
    own = {condition["type"] for condition in written["conditions"]}
    foreign = [condition for condition in known.get("conditions") or () if condition["type"] not in own]
    whole = {**known, **written, "conditions": [*foreign, *written["conditions"]]}
    return {key: value for key, value in whole.items() if value is not None}
