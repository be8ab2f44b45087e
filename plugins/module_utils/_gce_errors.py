# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What went wrong in Compute Engine, told by its cause: a failure as a value, and the words that people get for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import LabError

ROLES = "docs/providers.md, section gce, lists the roles that an account needs"


@dataclass(frozen=True)
class Failure:
    """How the service refused something: HTTP status, reasons as Google names them, and its message."""

    status: int
    reasons: tuple[str, ...]
    message: str

    def has(self, *names: str) -> bool:
        """Whether a reason begins with one of these names, or the message holds one."""
        return any(reason.startswith(names) for reason in self.reasons) or any(name in self.message for name in names)

    @property
    def is_stockout(self) -> bool:
        """The zone has no room for the machine now; another one may."""
        return self.has("ZONE_RESOURCE_POOL_EXHAUSTED")

    @property
    def is_rate(self) -> bool:
        """Too many requests in a short time."""
        return self.status == 429 or self.has("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED")

    @property
    def is_passing(self) -> bool:
        """Asking again in a while can help."""
        return self.is_rate or (self.status in (500, 502, 503, 504) and not self.is_stockout)

    @property
    def is_missing(self) -> bool:
        """What was asked for is not there."""
        return self.status == 404


class CloudError(LabError):
    """The service refused something; `failure` says what it said."""

    def __init__(self, attempted: str, failure: Failure) -> None:
        cause, remedy = cause_of(failure)
        super().__init__(attempted, f"Compute Engine says: {failure.message} ({failure.status})", cause, remedy)
        self.failure = failure


def failure_of(error: Any) -> Failure:
    """The failure in a GoogleAPICallError, whose message begins with the request's method and URL."""
    reasons = [str(each.get("reason", "")) for each in error.errors or () if isinstance(each, dict)]
    if error.reason:
        reasons.append(str(error.reason))
    message = str(error.message).split(": ", 1)[-1]
    return Failure(int(error.code or 0), tuple(reasons), message)


def failure_of_operation(operation: Any) -> Failure | None:
    """The failure that an operation ended with, None for one that did its work."""
    errors = list(operation.error.errors)
    if not errors and not operation.http_error_status_code:
        return None
    message = "; ".join(each.message for each in errors) or operation.http_error_message
    return Failure(operation.http_error_status_code, tuple(each.code for each in errors), message)


def cause_of(failure: Failure) -> tuple[str, str]:
    """The likely cause of a failure and the next step, as people read them; both empty for an unknown one."""
    return next(((cause, remedy) for applies, cause, remedy in _causes(failure) if applies), ("", ""))


def _causes(failure: Failure) -> Iterable[tuple[bool, str, str]]:
    """What may be the cause, the more telling signs first."""
    yield (
        failure.has("accessNotConfigured", "SERVICE_DISABLED"),
        "The API is off in this project",
        "Switch it on (gcloud services enable compute.googleapis.com oslogin.googleapis.com) and wait some minutes",
    )
    yield (
        failure.status == 401,
        "The credentials have expired, were revoked, or are those of a deleted account",
        "Sign in again (gcloud auth application-default login) or take a new key file",
    )
    yield (
        failure.is_stockout,
        "No zone of the list has room for this machine type now",
        "Name more zones, also of other regions, another machine type, or try again later",
    )
    yield failure.is_rate, "Asked more often than the project may", "Run this again in a few minutes"
    yield (
        failure.has("QUOTA_EXCEEDED", "quotaExceeded", "QUOTA"),
        "The project's quota does not allow it",
        "Delete what is not needed (playbooks/gce_cleanup.yml: expired labs), or take a smaller machine or more quota",
    )
    yield (
        failure.has("compute.requireOsLogin"),
        "The organization lets nobody in but by OS Login",
        "Set os_login: true (gce_host_os_login)",
    )
    yield (
        failure.has("compute.vmExternalIpAccess"),
        "The organization allows no public addresses",
        "Set public_address: false (gce_host_public_address) and connect from inside the network",
    )
    yield failure.status == 403, "The account may not do this", f"Give it the role that it lacks: {ROLES}"
    yield failure.is_missing, "A name is wrong, or this account may not see it", "Compare it with what the project has"
    yield failure.is_passing, "The service has trouble of its own", "Run this again later"


def no_credentials(attempted: str, seen: object) -> LabError:
    """The error where Google's client found no credentials, or none that work."""
    text = str(seen).strip()
    return LabError(
        attempted,
        text.splitlines()[0] if text else "No credentials",
        "Credentials for Google Cloud are absent, expired or revoked",
        "Name a file with them (gce_host_credentials_file: a service account's key or a workload identity's "
        "configuration), or sign in by gcloud auth application-default login",
    )


def unreachable(attempted: str, endpoint: str, seen: object) -> LabError:
    """The error where nobody answers."""
    return LabError(
        attempted,
        f"{endpoint} does not answer: {seen}",
        "This machine cannot reach Google's API, directly or through its proxy",
        "See that the network lets you out to it; where it is reached another way, set api_endpoint",
    )
