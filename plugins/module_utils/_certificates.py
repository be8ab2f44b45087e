# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A set of certificates in one directory: what is missing or about to expire is made anew, the rest is left alone.

    AUTHORITY.crt, AUTHORITY.key   LEAF.crt, LEAF.key   PAIR.pub, PAIR.key   and self-contained kubeconfigs anywhere

`plan` looks and decides, `apply` writes, each file whole. An authority's certificate is renewed over its old key, so
that what it signed stays valid. A lost key of an authority cannot be replaced without breaking what trusts it: that is
an error for people. Reasons and errors name files, never what is in them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._certificates_x509 import (
    HAS_CRYPTOGRAPHY,
    Authority,
    Leaf,
    Signer,
    authority_flaw,
    certifies,
    leaf_flaw,
    new_key,
    private_pem,
    public_key_belongs,
    public_pem,
    read_key,
    sign_authority,
    sign_leaf,
    signer,
)
from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write, write_whole

MISSING = [] if HAS_CRYPTOGRAPHY else ["cryptography"]
"""What the Python that runs this module lacks."""

try:
    from edgelab.core.errors import LabError
except ImportError:
    MISSING.append("edgelab")
    LabError = Exception  # type: ignore[assignment,misc]

__all__ = ["MISSING", "LabError", "Wanted", "apply", "plan", "result"]

PUBLIC, PRIVATE = 0o644, 0o600


@dataclass(frozen=True)
class Kubeconfig:
    """A kubeconfig at `path` for the holder of the leaf `certificate`, who asks the API server at `server`.

    `authority` is the one that vouches for the server.
    """

    path: Path
    server: str
    certificate: str
    authority: str
    cluster: str


@dataclass(frozen=True)
class Wanted:
    """Everything that one directory is to hold."""

    directory: Path
    authorities: tuple[Authority, ...]
    leaves: tuple[Leaf, ...]
    key_pairs: tuple[str, ...]
    kubeconfigs: tuple[Kubeconfig, ...]
    renew_before: timedelta

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Wanted:
        """From the options of the module `certificates`. Raises LabError for a life shorter than its renewal."""
        lives = [entry["days"] for entry in (*params["authorities"], *params["leaves"])]
        if min(lives) <= params["renew_before"]:
            raise LabError(
                attempted=f"Renew certificates {params['renew_before']} days before their end",
                seen=f"One of them is to live {min(lives)} days, so that each run would make it anew",
                remedy="Lower renew_before or raise days",
            )
        return cls(
            directory=Path(params["directory"]),
            authorities=tuple(Authority(**authority) for authority in params["authorities"]),
            leaves=tuple(_leaf(leaf) for leaf in params["leaves"]),
            key_pairs=tuple(params["key_pairs"]),
            kubeconfigs=tuple(Kubeconfig(**entry | {"path": Path(entry["path"])}) for entry in params["kubeconfigs"]),
            renew_before=timedelta(days=params["renew_before"]),
        )

    def file(self, name: str) -> Path:
        """A file of the directory."""
        return self.directory / name


def _leaf(params: Mapping[str, Any]) -> Leaf:
    lists = {name: tuple(params[name]) for name in ("organizations", "names", "usages")}
    return Leaf(**dict(params) | lists)


@dataclass
class Plan:
    """What is made anew and why, and the content and modes of the files that says so."""

    reasons: dict[str, str] = field(default_factory=dict)
    files: dict[Path, tuple[str, int]] = field(default_factory=dict)

    def put(self, path: Path, content: str, mode: int) -> None:
        """Write a file."""
        self.files[path] = (content, mode)

    def content(self, path: Path) -> bytes | None:
        """A file as it will be."""
        return self.files[path][0].encode() if path in self.files else read(path)


def plan(wanted: Wanted, now: datetime) -> Plan:
    """Compare a directory with what is wanted. Raises LabError when an authority's key is lost."""
    made = Plan()
    signers = {authority.name: _plan_authority(wanted, authority, now, made) for authority in wanted.authorities}
    for leaf in wanted.leaves:
        _plan_leaf(wanted, leaf, signers[leaf.authority], now, made)
    for name in wanted.key_pairs:
        _plan_key_pair(wanted, name, made)
    for kubeconfig in wanted.kubeconfigs:
        _plan_kubeconfig(wanted, kubeconfig, made)
    _plan_modes(wanted, made)
    return made


def apply(made: Plan) -> None:
    """Write the files of a plan: keys before certificates, so that an interrupted run leaves a mismatch to be seen."""
    for path, (content, mode) in sorted(made.files.items(), key=lambda item: item[0].suffix != ".key"):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path.parent, error) from error
        write_whole(path, content, mode)


def result(made: Plan) -> dict[str, Any]:
    """What the module returns: names and reasons, no content."""
    return {
        "changed": bool(made.files),
        "made": [{"name": name, "reason": reason} for name, reason in made.reasons.items()],
        "diff": {
            "before": "".join(f"{name} {reason}\n" for name, reason in made.reasons.items()),
            "after": "".join(f"{name} is as wanted\n" for name in made.reasons),
        },
    }


def read(path: Path) -> bytes | None:
    """The content of a file, or None without one. Raises LabError when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabError(attempted=f"Read {path}", seen=str(error)) from error


def _plan_authority(wanted: Wanted, authority: Authority, now: datetime, made: Plan) -> Signer:
    certificate, key_file = wanted.file(f"{authority.name}.crt"), wanted.file(f"{authority.name}.key")
    content = read(certificate)
    key = read_key(read(key_file))
    if (key is None and content is not None) or not certifies(content, key):
        raise _lost_key(certificate, key_file)
    if key is None:
        key = new_key()
        made.put(key_file, private_pem(key), PRIVATE)
    reason = authority_flaw(authority, content, now, wanted.renew_before)
    if reason:
        made.reasons[authority.name] = reason
        made.put(certificate, sign_authority(authority, key, now), PUBLIC)
    return signer(authority, key)


def _lost_key(certificate: Path, key: Path) -> LabError:
    return LabError(
        attempted=f"Sign certificates with the authority of {certificate}",
        seen=f"Its key {key} is missing, damaged or another's",
        remedy=f"Put the key back from a backup, or remove {certificate} and {key}: then a new authority and new "
        "certificates are made, and nodes that joined before have to join again",
    )


def _plan_leaf(wanted: Wanted, leaf: Leaf, issuer: Signer, now: datetime, made: Plan) -> None:
    certificate, key_file = wanted.file(f"{leaf.name}.crt"), wanted.file(f"{leaf.name}.key")
    reason = leaf_flaw(leaf, read(certificate), read(key_file), issuer, now, wanted.renew_before)
    if reason:
        key = new_key()
        made.reasons[leaf.name] = reason
        made.put(key_file, private_pem(key), PRIVATE)
        made.put(certificate, sign_leaf(leaf, key, issuer, now), PUBLIC)


def _plan_key_pair(wanted: Wanted, name: str, made: Plan) -> None:
    key_file, public_file = wanted.file(f"{name}.key"), wanted.file(f"{name}.pub")
    content = read(key_file)
    key = read_key(content)
    if key is None:
        made.reasons[name] = "is missing" if content is None else "cannot be read"
        key = new_key()
        made.put(key_file, private_pem(key), PRIVATE)
    if not public_key_belongs(read(public_file), key):
        made.reasons.setdefault(name, "has no public half, or another's")
        made.put(public_file, public_pem(key), PUBLIC)


def _plan_kubeconfig(wanted: Wanted, kubeconfig: Kubeconfig, made: Plan) -> None:
    content = _kubeconfig_text(wanted, kubeconfig, made)
    found = read(kubeconfig.path)
    if found != content.encode():
        made.reasons[kubeconfig.path.name] = "is missing" if found is None else "differs"
        made.put(kubeconfig.path, content, PRIVATE)


def _kubeconfig_text(wanted: Wanted, kubeconfig: Kubeconfig, made: Plan) -> str:
    def data(name: str) -> str:
        return base64.b64encode(made.content(wanted.file(name)) or b"").decode()

    name, user = kubeconfig.cluster, kubeconfig.certificate
    cluster = {"server": kubeconfig.server, "certificate-authority-data": data(f"{kubeconfig.authority}.crt")}
    credentials = {"client-certificate-data": data(f"{user}.crt"), "client-key-data": data(f"{user}.key")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    return json.dumps(document, indent=2) + "\n"


def _plan_modes(wanted: Wanted, made: Plan) -> None:
    names = [authority.name for authority in wanted.authorities]
    names += [*(leaf.name for leaf in wanted.leaves), *wanted.key_pairs]
    secrets = [*(wanted.file(f"{name}.key") for name in names), *(entry.path for entry in wanted.kubeconfigs)]
    for path in secrets:
        if path not in made.files and path.stat().st_mode & 0o077:
            made.reasons.setdefault(path.name, "could be read by others")
            made.put(path, path.read_text(), PRIVATE)
