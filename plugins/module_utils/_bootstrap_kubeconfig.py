# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A kubeconfig with a bootstrap token, for a node that has no identity yet.

`why_renew` is pure: from the node's identity, the bootstrap file and the token's Secret it says why a new token is
needed. A new one is a Secret in kube-system that Kubernetes itself deletes when the token expires, and a file 0600 that
holds it. Neither is shown or returned. Raises LabError when the file cannot be written.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole
from ansible_collections.edgelab.akri.plugins.module_utils._kube import Cluster, Object

with contextlib.suppress(ImportError):  # _kube names what is missing
    import yaml
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

_ALPHABET = string.ascii_lowercase + string.digits
_USER = "bootstrap"
_LEFT_AT_LEAST = timedelta(minutes=5)
_MODE = 0o600
_ABSENT = "there is no such file"
_NO_IDENTITY = "there is no identity"
_DATE = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Wanted:
    """The file, the identity that makes it needless, how long a token lasts, and what the token is for."""

    path: Path
    identity: Path | None
    seconds: int
    description: str


def why_renew(identity: str, bootstrap: str, secret: Object | None, now: datetime) -> str:
    """Why a new token is needed, empty when it is not.

    identity: what is wrong with the node's identity, empty when nothing is; bootstrap: what is wrong with the file.
    """
    if not identity:
        # A node with an identity needs no token, but if there is this file it reads there where the API server is.
        return "" if bootstrap == _ABSENT else bootstrap
    if bootstrap or identity != _NO_IDENTITY:
        # The node asks for an identity when it starts, and a new file makes it start.
        return bootstrap or identity
    if secret is None:
        return "its token has expired"
    expires = datetime.strptime(_decoded(secret, "expiration"), _DATE).replace(tzinfo=UTC)
    return "its token is about to expire" if expires - now < _LEFT_AT_LEAST else ""


def identity_fault(path: Path, ca: bytes, now: datetime) -> str:
    """What is wrong with the client certificate of a kubeconfig; empty when it is valid and of this authority.

    Krustlet takes the answer to an earlier request of its name for its own, and then has a key of another certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(_client_pem(path, "client-certificate"))
        key = load_pem_private_key(_client_pem(path, "client-key"), password=None)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca))
    except FileNotFoundError:
        return _NO_IDENTITY
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return "the identity cannot be read"
    except InvalidSignature:
        return "the identity is of another authority"
    if certificate.public_key() != key.public_key():
        return "the identity has a key of another certificate"
    return "" if now < certificate.not_valid_after_utc else "the identity has expired"


def _client_pem(path: Path, name: str) -> bytes:
    user = yaml.safe_load(path.read_text(encoding="utf-8"))["users"][0]["user"]
    data = user.get(f"{name}-data")
    return base64.b64decode(data) if data else (path.parent / user[name]).read_bytes()


def ensure(cluster: Cluster, wanted: Wanted, *, now: datetime, dry_run: bool) -> dict[str, Any]:
    """Make sure that the node has an identity or the means to get one; returns the module's result."""
    ca = Path(cluster.ca_path or os.devnull).read_bytes()
    token = _token_of(wanted.path)
    fault = _file_fault(wanted.path, render(cluster.server, ca, token))
    identity = identity_fault(wanted.identity, ca, now) if wanted.identity else _NO_IDENTITY
    secret = _find_secret(cluster, token) if identity and not fault else None
    reason = why_renew(identity, fault, secret, now)
    if reason and not dry_run:
        token = _make_token(cluster, wanted, now)
        write_whole(wanted.path, yaml.safe_dump(render(cluster.server, ca, token), sort_keys=False))
    before, after = f"bootstrap kubeconfig: {reason}\n", "bootstrap kubeconfig: good\n"
    diff = {"before": before, "after": after} if reason else {}
    return {"changed": bool(reason), "path": str(wanted.path), "reason": reason, "diff": diff}


def remove(path: Path, *, dry_run: bool) -> dict[str, Any]:
    """Make sure that the file is gone; its token expires by itself."""
    there = path.exists()
    if there and not dry_run:
        path.unlink()
    diff = {"before": "bootstrap kubeconfig\n", "after": ""} if there else {}
    return {"changed": there, "path": str(path), "diff": diff}


def render(server: str, ca: bytes, token: str) -> Object:
    """The kubeconfig as data, self-contained."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": _USER, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": _USER}}],
        "current-context": "lab",
    }


def secret_of(token: str, description: str, expires: datetime) -> Object:
    """The Secret that makes a token `ID.SECRET` one for joining the cluster, and for nothing else."""
    token_id, token_secret = token.split(".")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"},
        "stringData": {
            "description": description,
            "token-id": token_id,
            "token-secret": token_secret,
            "expiration": expires.strftime(_DATE),
            "usage-bootstrap-authentication": "true",
        },
    }


def _make_token(cluster: Cluster, wanted: Wanted, now: datetime) -> str:
    token = f"{_random(6)}.{_random(16)}"
    body = secret_of(token, wanted.description, now + timedelta(seconds=wanted.seconds))
    cluster.request("POST", "/api/v1/namespaces/kube-system/secrets", body)
    return token


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _index in range(length))


def _find_secret(cluster: Cluster, token: str) -> Object | None:
    return cluster.find(f"/api/v1/namespaces/kube-system/secrets/bootstrap-token-{token.split('.', maxsplit=1)[0]}")


def _decoded(secret: Mapping[str, Any], key: str) -> str:
    return base64.b64decode(secret["data"][key]).decode()


def _document(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _file_fault(path: Path, expected: Object) -> str:
    try:
        mode = path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return _ABSENT
    if _document(path) != expected:
        return "its cluster differs, or it is damaged"
    return "" if mode == _MODE else f"its mode is {mode:04o}"


def _token_of(path: Path) -> str:
    try:
        return str(_document(path)["users"][0]["user"]["token"])
    except (LookupError, TypeError):
        return ""
