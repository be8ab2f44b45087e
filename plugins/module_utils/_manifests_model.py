# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What the module `manifests` works with: objects read from data and files, their order, and what became of each.

Pure but for `read`, which opens the files. Raises LabError for what is no Kubernetes object.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._kube import LabError, Object

with contextlib.suppress(ImportError):  # _kube names what is missing
    import yaml

CRD = "CustomResourceDefinition"
_FIRST = ("Namespace", CRD)
_VOLATILE = ("managedFields", "resourceVersion", "generation")


@dataclass(frozen=True)
class Manifest:
    """One object that is wanted, or wanted gone."""

    body: Object

    @property
    def kind(self) -> str:
        """Kind, e.g. `ConfigMap`."""
        return str(self.body["kind"])

    @property
    def api_version(self) -> str:
        """Group and version, e.g. `akri.sh/v0`."""
        return str(self.body["apiVersion"])

    @property
    def name(self) -> str:
        """Name within the kind and namespace."""
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Namespace; that of an object that names none is `default`, as kubectl has it."""
        return str(self.body["metadata"].get("namespace") or "default")

    @property
    def title(self) -> str:
        """What people call it, e.g. `ConfigMap default/settings`."""
        namespace = self.body["metadata"].get("namespace")
        return f"{self.kind} {namespace + '/' if namespace else ''}{self.name}"


@dataclass(frozen=True)
class Change:
    """What happened, or would happen, to one object; before and after are None where there is none."""

    manifest: Manifest
    before: Object | None
    after: Object | None

    @property
    def action(self) -> str:
        """`created`, `changed`, `deleted` or `none`."""
        if comparable(self.before) == comparable(self.after):
            return "none"
        if self.before is None:
            return "created"
        return "deleted" if self.after is None else "changed"


def read(definition: Sequence[Any], sources: Sequence[str]) -> list[Manifest]:
    """The manifests of a list of objects and of YAML files with many documents; `kind: List` is taken apart."""
    bodies = list(definition)
    for source in sources:
        try:
            bodies += [body for body in yaml.safe_load_all(Path(source).read_text(encoding="utf-8")) if body]
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise LabError(attempted=f"Read manifests from {source}", seen=str(error)) from error
    return [Manifest(body) for body in _flat(bodies)]


def _flat(bodies: Iterable[Any]) -> Iterator[Object]:
    for body in bodies:
        if isinstance(body, Mapping) and str(body.get("kind")).endswith("List") and "items" in body:
            yield from _flat(body["items"])
        elif _is_object(body):
            yield dict(body)
        else:
            raise LabError(
                attempted="Read a manifest",
                seen=f"It has no apiVersion, kind and metadata.name: {str(body)[:200]}",
                remedy="Give whole Kubernetes objects",
            )


def _is_object(body: Any) -> bool:
    if not isinstance(body, Mapping) or not isinstance(body.get("metadata"), Mapping):
        return False
    return all(isinstance(text, str) and text for text in (body.get("apiVersion"), body.get("kind"), _name(body)))


def _name(body: Mapping[str, Any]) -> Any:
    return body["metadata"].get("name")


def stages(manifests: Sequence[Manifest]) -> list[list[Manifest]]:
    """Namespaces, then definitions of kinds, then the rest in the order given: each stage needs those before it."""
    early = [[item for item in manifests if item.kind == kind] for kind in _FIRST]
    rest = [item for item in manifests if item.kind not in _FIRST]
    return [stage for stage in [*early, rest] if stage]


def comparable(body: Object | None) -> Object | None:
    """An object without what changes though nothing was changed: status and the bookkeeping of the API server."""
    if body is None:
        return None
    metadata = {key: value for key, value in body["metadata"].items() if key not in _VOLATILE}
    return {key: value for key, value in body.items() if key != "status"} | {"metadata": metadata}


def result(changes: Sequence[Change]) -> dict[str, Any]:
    """What the module returns: changed, diff and, per object, its identity and what was done to it."""
    real = [change for change in changes if change.action != "none"]
    return {
        "changed": bool(real),
        "diff": {
            "before": {change.manifest.title: _shown(change.before) for change in real},
            "after": {change.manifest.title: _shown(change.after) for change in real},
        },
        "objects": [_told(change) for change in changes],
    }


def _told(change: Change) -> dict[str, str]:
    body = change.after or change.before or change.manifest.body
    return {
        "api_version": change.manifest.api_version,
        "kind": change.manifest.kind,
        "namespace": str(body["metadata"].get("namespace") or ""),
        "name": change.manifest.name,
        "uid": str(body["metadata"].get("uid") or ""),
        "action": change.action,
    }


def _shown(body: Object | None) -> Object | None:
    shown = comparable(body)
    if shown and shown["kind"] == "Secret":
        hidden = dict.fromkeys(("data", "stringData"), "hidden: it is secret")
        return shown | {key: text for key, text in hidden.items() if key in shown}
    return shown
