# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A kubeconfig for a ServiceAccount that holds a bound token which the API server accepts and which lasts for a while.

`why_renew` decides from what was found, `ensure` looks and writes. The file is written whole, mode 0600, and rewritten
when anything but the token differs, or when the token is refused, is another ServiceAccount's,
or has less than a third of its time left. Raises LabError when the ServiceAccount is not there or the disk refuses.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole
from ansible_collections.edgelab.akri.plugins.module_utils._kube import Cluster, LabError, Object

with contextlib.suppress(ImportError):  # _kube names what is missing
    import yaml

_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_MODE = 0o600
_LEFT_AT_LEAST = 1 / 3


@dataclass(frozen=True)
class Wanted:
    """The kubeconfig asked for; token_seconds is how long a new token lasts."""

    path: Path
    namespace: str
    service_account: str
    token_seconds: int

    @property
    def title(self) -> str:
        """The ServiceAccount as people write it."""
        return f"{self.namespace}/{self.service_account}"


@dataclass(frozen=True)
class Found:
    """What is there: the file's content and mode, and what the API server says about its token."""

    document: Any
    mode: int
    token_accepted: bool
    token_uid: str


def render(wanted: Wanted, server: str, ca: bytes, token: str) -> Object:
    """The kubeconfig as data, self-contained."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca).decode()}
    context = {"cluster": "lab", "user": wanted.service_account, "namespace": wanted.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": wanted.service_account, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": context}],
        "current-context": "lab",
    }


def token_of(document: Any) -> str:
    """The token in a kubeconfig of ours; empty when there is none."""
    try:
        return str(document["users"][0]["user"]["token"])
    except (LookupError, TypeError):
        return ""


def lifetime(token: str) -> tuple[float, float]:
    """When a token was issued and when it expires, seconds since 1970; (0, 0) for what is no such token."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["iat"]), float(claims["exp"])
    except (LookupError, TypeError, ValueError):
        return 0.0, 0.0


def why_renew(found: Found | None, expected: Object, uid: str, now: float) -> str:
    """Why the file must be written again, or nothing when it is good. expected: as rendered with the found token."""
    if found is None:
        return "it is not there"
    if found.document != expected:
        return "its cluster, user or context differs"
    if not found.token_accepted:
        return "the API server does not accept its token"
    if found.token_uid != uid:
        return "its token is another ServiceAccount's"
    issued, expires = lifetime(token_of(found.document))
    if expires - now < (expires - issued) * _LEFT_AT_LEAST:
        return "less than a third of its token's time is left"
    if found.mode != _MODE:
        return f"its mode is {found.mode:04o}"
    return ""


def ensure(cluster: Cluster, wanted: Wanted, *, now: float, dry_run: bool) -> dict[str, Any]:
    """Make sure that the kubeconfig is good; returns the module's result. now: seconds since 1970."""
    account = cluster.get("v1", "ServiceAccount", wanted.service_account, wanted.namespace)
    if account is None and not dry_run:
        raise LabError(
            attempted=f"Write a kubeconfig for the ServiceAccount {wanted.title}",
            seen="There is no such ServiceAccount",
            remedy="Create it first, e.g. with the module edgelab.akri.manifests",
        )
    found = _look(cluster, wanted.path)
    token = token_of(found.document) if found else ""
    ca = Path(cluster.ca_path or os.devnull).read_bytes()
    uid = account["metadata"]["uid"] if account else ""
    reason = why_renew(found, render(wanted, cluster.server, ca, token), uid, now)
    if reason and not dry_run:
        token = _request_token(cluster, wanted)
        write_whole(wanted.path, yaml.safe_dump(render(wanted, cluster.server, ca, token), sort_keys=False))
    return _result(wanted, found, token, reason)


def _look(cluster: Cluster, path: Path) -> Found | None:
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    review = _review(cluster, token_of(document))
    return Found(document, mode, bool(review.get("authenticated")), str(review.get("user", {}).get("uid", "")))


def _review(cluster: Cluster, token: str) -> Mapping[str, Any]:
    if not token:
        return {}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    status: Mapping[str, Any] = cluster.request("POST", _REVIEWS, body)["status"]
    return status


def _request_token(cluster: Cluster, wanted: Wanted) -> str:
    spec = {"expirationSeconds": wanted.token_seconds}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{wanted.namespace}/serviceaccounts/{wanted.service_account}/token"
    return str(cluster.request("POST", path, body)["status"]["token"])


def _result(wanted: Wanted, found: Found | None, token: str, reason: str) -> dict[str, Any]:
    expires = lifetime(token)[1]
    was = f"kubeconfig of {wanted.title}"
    return {
        "changed": bool(reason),
        "path": str(wanted.path),
        "reason": reason,
        "expires": datetime.fromtimestamp(expires, UTC).isoformat() if expires else "",
        "diff": {
            "before": f"{was}: {reason or 'good'}\n" if found else "",
            "after": f"{was}: good\n",
        },
    }


def remove(path: Path, *, dry_run: bool) -> dict[str, Any]:
    """Make sure that the file is gone; the token in it stays valid until its ServiceAccount is deleted."""
    there = path.exists()
    if there and not dry_run:
        path.unlink()
    before = "a kubeconfig\n" if there else ""
    return {"changed": there, "path": str(path), "diff": {"before": before, "after": ""}}
