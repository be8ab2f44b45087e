"""Who asks the node's server, and whether the cluster lets them: client certificates and SubjectAccessReview.

A certificate of the cluster's CA proves who somebody is, no more: what they may do, RBAC says, as with a kubelet.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.resources.authorization_v1 import SubjectAccessReview

from edgelab.core.errors import LabError

ALLOWED_SECONDS = 300.0
DENIED_SECONDS = 30.0
"""How long an answer is believed: a kubelet's defaults."""

_MOST_ANSWERS = 1000


@dataclass(frozen=True, slots=True)
class User:
    """Somebody whom the API server would know by the same certificate."""

    name: str
    groups: tuple[str, ...]


def user_of(certificate: Mapping[str, Any] | None) -> User | None:
    """The user of a verified client certificate as the ssl module gives it: common name and organisations.

    None without a certificate or with one that has no common name.
    """
    subject = [pair for names in (certificate or {}).get("subject", ()) for pair in names]
    name = next((value for key, value in subject if key == "commonName"), "")
    groups = tuple(value for key, value in subject if key == "organizationName")
    return User(name, (*groups, "system:authenticated")) if name else None


def verb_of(method: str) -> str:
    """The verb of the API that stands for an HTTP method, as kubelets map it."""
    return {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch"}.get(method, "delete")


class Authorizer:
    """Asks the API server who may use the node's server (`nodes/proxy` of this node) and remembers for a while."""

    def __init__(self, client: AsyncClient, node: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._node, self._clock = client, node, clock
        self._answers: dict[tuple[User, str], tuple[bool, float]] = {}

    async def allows(self, user: User, verb: str) -> bool:
        """Whether the user may; raises LabError when the API server does not say."""
        known = self._answers.get((user, verb))
        if known and self._clock() < known[1]:
            return known[0]
        allowed = await self._review(user, verb)
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.clear()
        self._answers[user, verb] = (allowed, self._clock() + (ALLOWED_SECONDS if allowed else DENIED_SECONDS))
        return allowed

    async def _review(self, user: User, verb: str) -> bool:
        body = SubjectAccessReview.from_dict(review(user, verb, self._node))
        assert isinstance(body, SubjectAccessReview)
        try:
            answer = await self._client.create(body)
        except httpx2.HTTPError as error:
            raise LabError(f"Ask the API server what {user.name} may do", str(error) or type(error).__name__) from error
        return bool(answer.status and answer.status.allowed)


def review(user: User, verb: str, node: str) -> dict[str, Any]:
    """The SubjectAccessReview for a request to a node's server."""
    attributes = {"verb": verb, "version": "v1", "resource": "nodes", "subresource": "proxy", "name": node}
    return {"spec": {"user": user.name, "groups": list(user.groups), "resourceAttributes": attributes}}
