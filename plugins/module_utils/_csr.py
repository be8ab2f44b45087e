# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Approves a certificate signing request when its content is exactly what was wanted, and refuses any other.

`decide` is pure: from the requests of a name it says which one to approve, or why none may be. Approval is written
onto the very object that was judged (its resourceVersion goes along). Raises LabError when a request deviates, was
denied, or does not come or is not signed in time; nothing is approved then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._csr_content import Content, deviations
from ansible_collections.edgelab.akri.plugins.module_utils._kube import ApiError, Cluster, LabError, Object

with contextlib.suppress(ImportError):  # _kube names what is missing
    from edgelab.service.status import ask

_API = "certificates.k8s.io/v1"
_KIND = "CertificateSigningRequest"
_PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


@dataclass(frozen=True)
class Names:
    """Which requests are meant: the one of this name and, if renewals count, those called NAME-SUFFIX.

    Without a name, those of a user to a signer, whatever they are called: a kubelet's have names by chance.
    """

    name: str
    renewals: bool = False
    username: str = ""
    signer: str = ""

    def mean(self, request: Mapping[str, Any]) -> bool:
        """Whether a request is meant."""
        if not self.name:
            spec = request["spec"]
            return (spec.get("username"), spec["signerName"]) == (self.username, self.signer)
        name = _name(request)
        return name == self.name or (self.renewals and name.startswith(f"{self.name}-"))

    def __str__(self) -> str:
        return self.name or f"of {self.username} to {self.signer}"


@dataclass(frozen=True)
class Decision:
    """What to do: `approve` or `done` (approved, perhaps not signed yet) a request, `refuse`, or `wait` for one."""

    action: str
    request: Object | None = None
    reasons: tuple[str, ...] = ()


def decide(want: Content, requests: Iterable[Object], *, unsigned_only: bool = False) -> Decision:
    """The newest pending request that is as wanted is approved; failing that, an approved one is enough.

    With unsigned_only a request that has its certificate already is not what is waited for.
    """
    newest = sorted(requests, key=lambda request: str(request["metadata"]["creationTimestamp"]), reverse=True)
    pending = [request for request in newest if state(request) == "pending"]
    approved = [request for request in newest if state(request) == "approved"]
    if unsigned_only:
        approved = [request for request in approved if not is_signed(request)]
    for action, candidates in (("approve", pending), ("done", approved)):
        fitting = [request for request in candidates if not deviations(want, request)]
        if fitting:
            return Decision(action, fitting[0])
        if candidates:
            return Decision("refuse", candidates[0], _reasons(want, candidates))
    if newest and state(newest[0]) in ("denied", "failed"):
        return Decision("refuse", newest[0], (f"{_name(newest[0])} was {state(newest[0])}",))
    return Decision("wait")


def _reasons(want: Content, requests: Sequence[Object]) -> tuple[str, ...]:
    return tuple(f"{_name(request)} {item}" for request in requests for item in deviations(want, request))


def state(request: Mapping[str, Any]) -> str:
    """`pending`, `approved`, `denied` or `failed`."""
    conditions = {item["type"].lower() for item in request.get("status", {}).get("conditions") or ()}
    return next((name for name in ("denied", "failed", "approved") if name in conditions), "pending")


def is_signed(request: Mapping[str, Any]) -> bool:
    """Whether the certificate is there."""
    return bool(request.get("status", {}).get("certificate"))


def is_served(status: Mapping[str, Any]) -> bool:
    """Whether a node's status says that it has its serving certificate and waits for no other."""
    return (status.get("serving_certificate") or {}).get("state") == "issued"


def is_issued(socket: str) -> bool:
    """Whether the node behind a status socket has its certificate; one that does not answer has yet to ask for it."""
    try:
        return is_served(ask(Path(socket)))
    except OSError:
        return False


def is_pending(cluster: Cluster, names: Names) -> bool:
    """Whether a request that is meant waits for an answer."""
    return any(state(request) == "pending" for request in cluster.find_all(_API, _KIND) if names.mean(request))


def approve(
    cluster: Cluster, names: Names, want: Content, *, timeout: float, unsigned_only: bool, dry_run: bool
) -> dict[str, Any]:
    """Wait for the request, judge it, approve it, wait until it is signed; returns changed, name and diff."""
    decision, approved = Decision("wait"), ""
    for everything in cluster.follow(_API, _KIND, seconds=0 if dry_run else timeout):
        requests = [request for request in everything if names.mean(request)]
        decision = decide(want, requests, unsigned_only=unsigned_only and not approved)
        if decision.action == "refuse":
            raise _refused(names, decision.reasons)
        if decision.action == "approve" and decision.request and not dry_run:
            approved = _set_condition(cluster, decision.request, "Approved") or approved
        if dry_run or (decision.request and decision.action == "done" and is_signed(decision.request)):
            break
    else:
        raise _late(names, decision, timeout)
    changed = bool(approved) or (dry_run and decision.action != "done")
    return _result(changed, approved or (_name(decision.request) if decision.request else str(names)), "approved")


def deny(cluster: Cluster, names: Names, *, dry_run: bool) -> dict[str, Any]:
    """Deny every pending request that is meant; one that is approved already is an error."""
    requests = [request for request in cluster.find_all(_API, _KIND) if names.mean(request)]
    if any(state(request) == "approved" for request in requests):
        raise LabError(
            attempted=f"Deny the certificate signing request {names}",
            seen="It is approved already, and Kubernetes does not take an approval back",
            remedy="Delete it with state absent; a certificate that was issued stays valid until it expires",
        )
    pending = [request for request in requests if state(request) == "pending"]
    for request in [] if dry_run else pending:
        _set_condition(cluster, request, "Denied")
    return _result(bool(pending), str(names), "denied")


def remove(cluster: Cluster, names: Names, *, dry_run: bool) -> dict[str, Any]:
    """Delete every request that is meant."""
    found = [request for request in cluster.find_all(_API, _KIND) if names.mean(request)]
    for request in [] if dry_run else found:
        cluster.delete(f"{_PATH}/{_name(request)}", uid=request["metadata"]["uid"])
    return _result(bool(found), str(names), "absent", before="present")


def _set_condition(cluster: Cluster, request: Object, kind: str) -> str:
    """The name of the request; empty when somebody changed it meanwhile, so that it has to be judged again."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {
        "type": kind,
        "status": "True",
        "reason": f"{kind}ByContent",
        "message": "Compared with what edgelab.akri.certificate_signing_request was told to expect.",
        "lastUpdateTime": now,
    }
    body = {**request, "apiVersion": _API, "kind": _KIND, "status": {"conditions": [condition]}}
    try:
        cluster.request("PUT", f"{_PATH}/{_name(request)}/approval", body)
    except ApiError as error:
        if error.code == HTTPStatus.CONFLICT:
            return ""
        raise
    return _name(request)


def _name(request: Mapping[str, Any]) -> str:
    return str(request["metadata"]["name"])


def _result(changed: bool, name: str, after: str, before: str = "pending") -> dict[str, Any]:
    diff = {"before": f"{name}: {before}\n", "after": f"{name}: {after}\n"} if changed else {}
    return {"changed": changed, "name": name, "diff": diff}


def _refused(names: Names, reasons: Sequence[str]) -> LabError:
    return LabError(
        attempted=f"Approve the certificate signing request {names}",
        seen="; ".join(reasons),
        cause="It was not made by the program that was meant, or that program was told another name or address",
        remedy="Look at it with kubectl describe csr; delete it if it is not yours. Nothing was approved",
    )


def _late(names: Names, decision: Decision, timeout: float) -> LabError:
    if decision.request:
        seen, cause = f"{_name(decision.request)} is approved but not signed", "kube-controller-manager does not run"
    else:
        seen, cause = "There is no such request", "The program that has to make it does not run or has another name"
    return LabError(
        attempted=f"Approve the certificate signing request {names} within {timeout:g} s",
        seen=seen,
        cause=cause,
        remedy="Look at that program's log",
    )
