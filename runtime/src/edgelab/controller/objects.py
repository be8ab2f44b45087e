"""The objects that the controller makes, as Akri 0.13.26 makes them; the differences are told where they are.

Specs in a Configuration are anything a user wrote: AttributeError, TypeError or ValueError says that one is not shaped
like what it should be where this matters here; the API server judges the rest.
"""

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from edgelab.controller.model import DIGEST_ANNOTATION
from edgelab.core import names
from edgelab.core.model import GROUP, Configuration, Instance, ObjectReference

PLACEHOLDER = "{{PLACEHOLDER}}"
"""Stands in a broker's resources for the Instance's extended resource."""

Object = dict[str, Any]


def digest(spec: Mapping[str, Any] | None) -> str:
    """Stands for the content of a spec; empty for none."""
    if spec is None:
        return ""
    return hashlib.blake2b(json.dumps(spec, sort_keys=True).encode(), digest_size=8).hexdigest()


def wants_device(pod_spec: Mapping[str, Any]) -> bool:
    """Whether a Pod made from this spec requests the Instance's device."""
    return any(PLACEHOLDER in group for resources in _resources(pod_spec) for group in _quantities(resources))


def broker_pod(instance: Instance, configuration: Configuration, node: str) -> Object:
    """The broker of an Instance on a node.

    Unlike Akri's, it has an annotation with the digest of its spec, and is bound to its node in addition to any node
    affinity of the Configuration (Akri adds an alternative, so that such a broker can land elsewhere).
    """
    spec = configuration.broker_pod_spec or {}
    name = names.broker_pod(instance.name, node, shared=instance.shared)
    labels = _labels(name) | _both(instance) | {names.NODE_LABEL: node}
    meta = _meta(name, instance.namespace, labels, instance.reference, digest(spec))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": bound_to(with_device(spec, names.resource(instance.name)), node),
    }


def broker_job(instance: Instance, configuration: Configuration) -> Object:
    """The broker Job of an Instance; where it runs is up to the scheduler."""
    spec = copy.deepcopy(dict(configuration.broker_job_spec or {}))
    name = names.broker_job(instance.name, configuration.generation)
    template = spec.get("template")
    if isinstance(template, dict):
        meta = template.setdefault("metadata", {})
        meta["labels"] = (meta.get("labels") or {}) | _both(instance)
        template["spec"] = with_device(template.get("spec") or {}, names.resource(instance.name))
    labels = _labels(name) | _both(instance)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _meta(name, instance.namespace, labels, instance.reference, digest(configuration.broker_job_spec)),
        "spec": spec,
    }


def instance_service(instance: Instance, spec: Mapping[str, Any]) -> Object:
    """The Service in front of the brokers of one Instance."""
    return _service(instance.reference, instance.namespace, names.INSTANCE_LABEL, spec)


def configuration_service(configuration: Configuration, spec: Mapping[str, Any]) -> Object:
    """The Service in front of the brokers of all Instances of a Configuration."""
    return _service(configuration.reference, configuration.namespace, names.CONFIGURATION_LABEL, spec)


def with_device(pod_spec: Mapping[str, Any], resource: str) -> Object:
    """A Pod's spec with the extended resource in place of the placeholder, in containers and initContainers.

    As in Akri, `resources.claims` is dropped.
    """
    spec = copy.deepcopy(dict(pod_spec))
    for resources in _resources(spec):
        resources.pop("claims", None)
        for group in _quantities(resources):
            if PLACEHOLDER in group:
                group[resource] = group.pop(PLACEHOLDER)
    return spec


def bound_to(pod_spec: Object, node: str) -> Object:
    """A Pod's spec that can only be scheduled to a node, whatever else its affinity requires."""
    here = {"key": "metadata.name", "operator": "In", "values": [node]}
    affinity = pod_spec.get("affinity") or {}
    node_affinity = affinity.get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or [{}]
    # Terms are alternatives, the fields of one term are all required: so the node goes into each.
    terms = [term | {"matchFields": [*(term.get("matchFields") or ()), here]} for term in terms]
    required = required | {"nodeSelectorTerms": terms}
    node_affinity = node_affinity | {"requiredDuringSchedulingIgnoredDuringExecution": required}
    return pod_spec | {"affinity": affinity | {"nodeAffinity": node_affinity}}


def _resources(pod_spec: Mapping[str, Any]) -> Iterator[Object]:
    for key in ("containers", "initContainers"):
        for container in pod_spec.get(key) or ():
            if container.get("resources"):
                yield container["resources"]


def _quantities(resources: Object) -> Iterator[Object]:
    yield from (resources[key] for key in ("requests", "limits") if resources.get(key))


def _service(owner: ObjectReference, namespace: str, label: str, given: Mapping[str, Any]) -> Object:
    name = names.service(owner.name)
    ours = {names.CONTROLLER_LABEL: GROUP, label: owner.name}
    spec = dict(given) | {"selector": (given.get("selector") or {}) | ours}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(name, namespace, _labels(name) | {label: owner.name}, owner, digest(given)),
        "spec": spec,
    }


def _labels(name: str) -> dict[str, str]:
    return {"app": names.app_label(name), names.CONTROLLER_LABEL: GROUP}


def _both(instance: Instance) -> dict[str, str]:
    return {names.CONFIGURATION_LABEL: instance.configuration, names.INSTANCE_LABEL: instance.name}


def _meta(name: str, namespace: str, labels: dict[str, str], owner: ObjectReference, spec_digest: str) -> Object:
    return {
        "name": name,
        "namespace": namespace,
        "labels": labels,
        "annotations": {DIGEST_ANNOTATION: spec_digest},
        "ownerReferences": [owner.as_owner(block_deletion=True)],
    }
