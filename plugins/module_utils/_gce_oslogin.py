# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The lab's key in OS Login, which has accounts and keys where a project or organization lets nobody in otherwise.

The Compute client knows nothing of OS Login, so its two calls are made by the session that client uses, too. A key
that was imported ends by itself with the lab.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ansible_collections.edgelab.akri.plugins.module_utils._gce_errors import (
    CloudError,
    Failure,
    no_credentials,
    unreachable,
)
from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import LabError

try:
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import AuthorizedSession
    from requests.exceptions import ConnectionError as RequestsConnectionError
except ImportError:
    pass  # _gce_client.MISSING says so

ENDPOINT = "https://oslogin.googleapis.com"


class OsLogin:
    """The account of whoever's credentials these are."""

    def __init__(self, credentials: Any, endpoint: str | None = None) -> None:
        self._credentials = credentials
        self._endpoint = endpoint or ENDPOINT
        self._session: Any = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]

    def user(self) -> str:
        """The name under which the account logs in. Raises LabError for an account that has none yet."""
        return user_of(self._ask("GET", "/loginProfile"))

    def import_key(self, public_key: str, ends: int) -> str:
        """Let a key in until a time in seconds since the epoch; the name under which it logs in."""
        body = {"key": public_key, "expirationTimeUsec": str(ends * 1_000_000)}
        return user_of(self._ask("POST", ":importSshPublicKey", body).get("loginProfile", {}))

    def forget_key(self, public_key: str) -> None:
        """Take a key out again."""
        keys = self._ask("GET", "/loginProfile").get("sshPublicKeys", {})
        for mark, key in keys.items():
            if key.get("key", "").split()[:2] == public_key.split()[:2]:
                self._ask("DELETE", f"/sshPublicKeys/{mark}")

    def email(self) -> str:
        """Whose credentials they are. Raises LabError where they do not say so."""
        for attribute in ("service_account_email", "account"):
            email = getattr(self._credentials, attribute, None)
            if email and "@" in email:
                return str(email)
        raise LabError(
            "Log in by OS Login",
            "The credentials do not say whose they are",
            remedy="Use a service account: its key, or a workload identity that impersonates it",
        )

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        attempted = "Use OS Login"
        url = f"{self._endpoint}/v1/users/{quote(self.email())}{path}"
        try:
            answer = self._session.request(method, url, json=body, timeout=60)
        except (RequestsConnectionError, TransportError) as error:
            raise unreachable(attempted, self._endpoint, error) from error
        except GoogleAuthError as error:
            raise no_credentials(attempted, error) from error
        content: dict[str, Any] = answer.json() if answer.content else {}
        if answer.status_code >= 400:
            raise CloudError(attempted, failure_in(answer.status_code, content))
        return content


def failure_in(status: int, content: dict[str, Any]) -> Failure:
    """The failure in an answer's body."""
    error = content.get("error", {})
    reasons = [each.get("reason", "") for each in (*error.get("errors", ()), *error.get("details", ()))]
    return Failure(status, tuple(reasons), error.get("message", "no message"))


def user_of(profile: dict[str, Any]) -> str:
    """The name in a login profile's primary account. Raises LabError where there is none."""
    accounts = profile.get("posixAccounts", [])
    primary = next((each for each in accounts if each.get("primary")), accounts[0] if accounts else None)
    if not primary:
        raise LabError(
            "Log in by OS Login",
            "The account has no POSIX account",
            remedy="Give it the role roles/compute.osAdminLogin in the project, then run this again",
        )
    return str(primary["username"])
