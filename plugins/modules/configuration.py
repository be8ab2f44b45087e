#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""An Akri Configuration is as given, or gone: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: configuration
short_description: Keep an Akri Configuration as given
version_added: 0.1.0
description:
  - Creates, changes or removes an Akri Configuration, which says what devices to look for, how many users each may
    have, and what to run for each.
  - Fields that were not given are left to others; a field that was given once and is given no more is removed.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.kube
options:
  name:
    description: Name of the Configuration; its Instances, resources and brokers are called after it.
    type: str
    required: true
  namespace:
    description: Namespace of the Configuration, its Instances and brokers.
    type: str
    default: default
  state:
    description: Whether the Configuration is there as given, or gone with its Instances.
    type: str
    choices: [present, absent]
    default: present
  handler:
    description: Name of the discovery handler, for example V(debugEcho). Required unless O(state=absent).
    type: str
  details:
    description: What the handler is told, as text or as a structure that is written as YAML.
    type: raw
  discovery_properties:
    description: Further properties for the handler, values or references to Secrets and ConfigMaps, as in Akri.
    type: list
    elements: dict
    default: []
  capacity:
    description: How many users each device may have at once on a node.
    type: int
    default: 1
  broker_pod_spec:
    description: >-
      Specification of the Pod to run for each device on each of its nodes. The resource name V({{PLACEHOLDER}}) stands
      for the device.
    type: dict
  broker_job_spec:
    description: Specification of the Job to run for each device, instead of a Pod.
    type: dict
  broker_properties:
    description: Environment variables for whoever uses a device, over those that the handler gives. Strings only.
    type: dict
    default: {}
  instance_service_spec:
    description: Specification of the Service for the brokers of each device.
    type: dict
  configuration_service_spec:
    description: Specification of the Service for all brokers of the Configuration.
    type: dict
  recreate:
    description:
      - Whether the Configuration is deleted and created again when O(handler), O(details) or O(discovery_properties)
        changed. Akri's own agent needs that, since it reads them only once; brokers of devices that stay end, too.
      - The embedded agent follows such changes, so V(false) keeps those brokers.
    type: bool
    default: true
  recreate_brokers:
    description:
      - Whether the Configuration is also deleted and created again when what it says of brokers and Services changed.
      - Akri's own controller makes them once and leaves them as they are; the embedded one replaces what changed.
    type: bool
    default: false
    version_added: 0.2.0
  timeout:
    description: Seconds to wait for a deletion to come to its end.
    type: float
    default: 60
attributes:
  check_mode:
    description: The API server computes the result without keeping it.
    support: full
  diff_mode:
    description: The object before and after, without status.
    support: full
  idempotent:
    description: Nothing is changed when the Configuration is as given.
    support: full
"""

EXAMPLES = r"""
- name: Look for three debug echo devices and run a broker for each
  edgelab.akri.configuration:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    name: akri-debug-echo
    handler: debugEcho
    details:
      descriptions: [foo0, foo1, foo2]
    capacity: 2
    broker_pod_spec:
      containers:
        - name: broker
          image: registry.example.org/broker:1.0
          resources:
            limits:
              "{{PLACEHOLDER}}": "1"  # Ansible leaves keys alone

- name: Stop looking
  edgelab.akri.configuration:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    name: akri-debug-echo
    state: absent
"""

RETURN = r"""
action:
  description: What was done, one of V(none), V(created), V(changed), V(recreated), V(deleted).
  returned: when there was a cluster to ask
  type: str
  sample: recreated
uid:
  description: Uid of the Configuration as it is now, or was; empty in check mode for one that would be created.
  returned: when there was a cluster to ask
  type: str
  sample: 775f02ed-ac16-492d-a83c-34056b9f21c1
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._configuration import (
    Recreation,
    ensure,
    identity,
    remove,
    render,
)
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, Cluster, run

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "default": "default"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "handler": {"type": "str"},
    "details": {"type": "raw"},
    "discovery_properties": {"type": "list", "elements": "dict", "default": []},
    "capacity": {"type": "int", "default": 1},
    "broker_pod_spec": {"type": "dict"},
    "broker_job_spec": {"type": "dict"},
    "broker_properties": {"type": "dict", "default": {}},
    "instance_service_spec": {"type": "dict"},
    "configuration_service_spec": {"type": "dict"},
    "recreate": {"type": "bool", "default": True},
    "recreate_brokers": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 60},
}


def work(cluster: Cluster, params: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Bring the Configuration into the wanted state."""
    timeout = params["timeout"]
    if params["state"] == "absent":
        return remove(cluster, identity(params), timeout=timeout, dry_run=dry_run)
    anew = Recreation(discovery=params["recreate"], brokers=params["recreate_brokers"])
    return ensure(cluster, render(params), anew, timeout=timeout, dry_run=dry_run)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=SPEC,
        required_if=[("state", "present", ["handler"])],
        mutually_exclusive=[("broker_pod_spec", "broker_job_spec")],
        supports_check_mode=True,
    )
    run(module, lambda cluster: work(cluster, module.params, dry_run=module.check_mode), would={"action": "created"})


if __name__ == "__main__":
    main()
