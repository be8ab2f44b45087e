# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""One Kubernetes API server, asked over the connection pool of the `kubernetes` package; objects are plain dicts.

Raises `NoKubeconfigError` (the file is not there), `UnreachableError` (nobody answers) and `ApiError` (the API server
refuses), all of them LabErrors. Modules import these names from `_kube`.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

__all__ = ["MISSING", "ApiError", "Cluster", "Kind", "LabError", "NoKubeconfigError", "Object", "UnreachableError"]

MISSING: list[str] = []
"""What the Python that runs this module lacks."""

try:
    import urllib3
    from kubernetes.client import ApiClient, Configuration
except ImportError:
    MISSING.append("kubernetes")
try:
    from edgelab.core.errors import LabError
except ImportError:
    MISSING.append("edgelab")
    LabError = Exception  # type: ignore[assignment,misc]

Object = dict[str, Any]
"""A Kubernetes object, or any other JSON body of the API server."""

_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 30.0
_KIND_POLL = 0.2
_JSON = "application/json"


class NoKubeconfigError(LabError):
    """The kubeconfig does not exist: there is no cluster yet, or not any more."""


class UnreachableError(LabError):
    """No API server answers at the kubeconfig's address."""


class ApiError(LabError):
    """The API server refused a request; `code` is the HTTP status, `reason` the reason of its Status object."""

    def __init__(self, attempted: str, code: int, body: bytes) -> None:
        status = _status(body)
        message = status.get("message") or body.decode(errors="replace")[:500]
        super().__init__(attempted=attempted, seen=f"The API server answered {code}: {message}")
        self.code = code
        self.reason = str(status.get("reason") or "")


def _status(body: bytes) -> Mapping[str, Any]:
    try:
        status = json.loads(body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


@dataclass(frozen=True)
class Kind:
    """How the API server serves a kind."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Path of one object, of a namespace's objects, or of all of them."""
        prefix = "/api" if "/" not in self.api_version else "/apis"
        parts = [prefix, self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        return "/".join(parts)


class Cluster:
    """One API server, with the identity of one kubeconfig."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._pool = ApiClient(configuration).rest_client.pool_manager
        self._served: dict[str, dict[str, Kind]] = {}

    @property
    def server(self) -> str:
        """The API server's address, e.g. `https://127.0.0.1:20001`."""
        return str(self._configuration.host)

    @property
    def ca_path(self) -> str | None:
        """File with the certificates that the API server's must be signed by."""
        path: str | None = self._configuration.ssl_ca_cert
        return path

    def kind(self, api_version: str, kind: str) -> Kind | None:
        """How a kind is served; None when it is not (a custom resource whose definition is not there)."""
        if kind not in self._served.get(api_version, {}):
            self._served[api_version] = self._discover(api_version)
        return self._served[api_version].get(kind)

    def _discover(self, api_version: str) -> dict[str, Kind]:
        prefix = "/api" if "/" not in api_version else "/apis"
        listing = self.find(f"{prefix}/{api_version}") or {"resources": []}
        return {
            entry["kind"]: Kind(api_version, entry["kind"], entry["name"], entry["namespaced"])
            for entry in listing["resources"]
            if "/" not in entry["name"]
        }

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """One object; None when it, or its kind, does not exist."""
        served = self.kind(api_version, kind)
        return self.find(served.path(namespace, name)) if served else None

    def find(self, path: str, query: Mapping[str, str] | None = None) -> Object | None:
        """GET a path; None when the API server has nothing there."""
        try:
            return self.request("GET", path, query=query)
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def find_all(self, api_version: str, kind: str, namespace: str | None = None, **selectors: str) -> list[Object]:
        """Objects of a kind, in a namespace or (None) in all; selectors: labelSelector, fieldSelector."""
        return next(self.follow(api_version, kind, namespace, seconds=0, **selectors))

    def follow(
        self, api_version: str, kind: str, namespace: str | None = None, *, seconds: float, **selectors: str
    ) -> Iterator[list[Object]]:
        """Objects of a kind as they are now, and again after each change, until the seconds are over; at least once."""
        deadline = time.monotonic() + seconds
        while True:
            served = self.kind(api_version, kind)
            if served is None:
                yield []
                time.sleep(min(_KIND_POLL, max(0.0, deadline - time.monotonic())))
            else:
                yield from self._follow_once(served, served.path(namespace), deadline, selectors)
            if time.monotonic() >= deadline:
                return

    def _follow_once(
        self, served: Kind, path: str, deadline: float, selectors: Mapping[str, str]
    ) -> Iterator[list[Object]]:
        identity = {"apiVersion": served.api_version, "kind": served.kind}
        listing = self.find(path, selectors) or {"items": [], "metadata": {"resourceVersion": ""}}
        objects = {item["metadata"]["uid"]: identity | item for item in listing["items"]}
        yield list(objects.values())
        for event, item in self._watch(path, listing["metadata"]["resourceVersion"], deadline, selectors):
            objects.pop(item["metadata"]["uid"], None)
            if event != "DELETED":
                objects[item["metadata"]["uid"]] = item
            yield list(objects.values())

    def _watch(
        self, path: str, version: str, deadline: float, selectors: Mapping[str, str]
    ) -> Iterator[tuple[str, Object]]:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(math.ceil(remaining)), **selectors}
        response = self._open("GET", path, query=query, timeout=remaining)
        with contextlib.suppress(urllib3.exceptions.HTTPError), contextlib.closing(response):
            for line in _lines(response.stream(amt=None)):
                event = json.loads(line)
                if event["type"] == "ERROR":  # the version is too old: the caller lists again
                    return
                yield event["type"], event["object"]

    def apply(self, path: str, body: Object, *, field_manager: str, force: bool, dry_run: bool = False) -> Object:
        """Server-side apply; returns the object as it is then (with dry_run: as it would be)."""
        query = {"fieldManager": field_manager, "force": str(force).lower(), **_dry(dry_run)}
        return self.request("PATCH", path, body, content_type="application/apply-patch+yaml", query=query)

    def delete(self, path: str, *, uid: str | None = None) -> None:
        """Ask for the deletion of an object, of the one with this uid only if given; fine when it is gone already."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            self.request("DELETE", path, options)
        except ApiError as error:
            if error.code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise

    def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = _JSON,
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """One request with a JSON body and a JSON answer. Raises ApiError or UnreachableError."""
        answer: Object = json.loads(self._read(method, path, body, content_type, query or {}))
        return answer

    def text(self, path: str, **query: str) -> str:
        """GET something that is not JSON, e.g. a Pod's log."""
        return self._read("GET", path, None, _JSON, query).decode(errors="replace")

    def lines(self, path: str, *, seconds: float, **query: str) -> Iterator[str]:
        """GET lines of a text that grows, e.g. a followed log, as they come, until its end or so many idle seconds."""
        response = self._open("GET", path, query=query, timeout=seconds)
        with contextlib.suppress(urllib3.exceptions.HTTPError), contextlib.closing(response):
            for line in _lines(response.stream(amt=None)):
                yield line.decode(errors="replace")

    def _read(self, method: str, path: str, body: Object | None, content_type: str, query: Mapping[str, str]) -> bytes:
        response = self._open(method, path, body, content_type=content_type, query=query)
        with self._failures_told():
            data: bytes = response.read()
        response.release_conn()
        return data

    def _open(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = _JSON,
        query: Mapping[str, str],
        timeout: float = _REQUEST_SECONDS,
    ) -> Any:
        headers = {"Accept": "application/json, */*", "Content-Type": content_type}
        token = self._configuration.get_api_key_with_prefix("authorization")
        if token:
            headers["Authorization"] = token
        with self._failures_told():
            response = self._pool.request(
                method,
                f"{self.server}{path}?{urlencode(query)}",
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=timeout),
                retries=_retries(),
                preload_content=False,
            )
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise ApiError(f"{method} {path}", response.status, response.read())
        return response

    @contextlib.contextmanager
    def _failures_told(self) -> Iterator[None]:
        try:
            yield
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(
                attempted=f"Ask the API server at {self.server}",
                seen=str(getattr(error, "reason", error)),
                cause="The lab is stopped, or another program has its port",
                remedy="Run the playbook again: it starts what does not run",
            ) from error


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _retries() -> Any:
    # A kind that was defined a moment ago answers 429 "storage is (re)initializing" with Retry-After; obey that.
    return urllib3.Retry(10, connect=0, read=0, redirect=0, allowed_methods=None, raise_on_status=False)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
