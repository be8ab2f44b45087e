"""ServiceAccount tokens for projected volumes: bound to the Pod, asked for again before they end."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lightkube import AsyncClient
from lightkube.models.authentication_v1 import BoundObjectReference, TokenRequestSpec
from lightkube.models.core_v1 import Pod, ServiceAccountTokenProjection
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ServiceAccountToken

_RENEW_AT = 0.8
"""Share of a token's life after which a new one is asked for, as kubelets do."""

_DEFAULT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class _Held:
    token: str
    renew_at: float


class TokenSource:
    """Tokens of the Pods of a node; kept in memory only, so a restarted node asks for new ones."""

    def __init__(self, client: AsyncClient, *, clock: Callable[[], float] = time.time) -> None:
        self._client, self._clock = client, clock
        self._held: dict[tuple[str, str, str], _Held] = {}

    async def tokens(self, pod: Pod) -> dict[tuple[str, str], str]:
        """A good token for each projection of a Pod, by volume and path."""
        assert pod.metadata is not None
        found = {}
        for volume, projection in projections(pod):
            key = (pod.metadata.uid or "", volume, projection.path)
            held = self._held.get(key)
            if held is None or held.renew_at <= self._clock():
                held = self._held[key] = await self._request(pod, projection)
            found[volume, projection.path] = held.token
        return found

    def forget(self, pod_uid: str) -> None:
        """Drop the tokens of a Pod that is gone."""
        self._held = {key: held for key, held in self._held.items() if key[0] != pod_uid}

    async def _request(self, pod: Pod, projection: ServiceAccountTokenProjection) -> _Held:
        assert pod.metadata is not None
        assert pod.spec is not None
        seconds = projection.expirationSeconds or _DEFAULT_SECONDS
        # Without an audience the API server gives its own, the one that NodeRestriction always allows.
        spec = TokenRequestSpec(
            audiences=[projection.audience] if projection.audience else [],
            expirationSeconds=seconds,
            boundObjectRef=BoundObjectReference(
                apiVersion="v1", kind="Pod", name=pod.metadata.name, uid=pod.metadata.uid
            ),
        )
        answer = await self._client.create(
            ServiceAccountToken(spec=spec, metadata=ObjectMeta()),
            pod.spec.serviceAccountName or "default",
            namespace=pod.metadata.namespace,
        )
        assert answer.status is not None
        assert answer.status.token is not None
        return _Held(answer.status.token, self._clock() + _RENEW_AT * seconds)


def projections(pod: Pod) -> Iterator[tuple[str, ServiceAccountTokenProjection]]:
    """The token projections of a Pod, each with the name of its volume."""
    assert pod.spec is not None
    for volume in pod.spec.volumes or ():
        for source in (volume.projected.sources or ()) if volume.projected else ():
            if source.serviceAccountToken:
                yield volume.name, source.serviceAccountToken
