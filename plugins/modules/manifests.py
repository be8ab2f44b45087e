#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Kubernetes objects are as given, or gone: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: manifests
short_description: Keep Kubernetes objects as given
version_added: 0.1.0
description:
  - Applies any number of objects server-side in one call, in an order that works (namespaces, then
    CustomResourceDefinitions, which it waits for, then the rest as given), or deletes them in the reverse order and
    waits until they are gone.
  - One call for many objects, since each task costs time; M(kubernetes.core.k8s) applies one definition per call.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.kube
options:
  definition:
    description: The objects, each with C(apiVersion), C(kind) and C(metadata.name). Objects before files.
    type: list
    elements: dict
    default: []
  src:
    description: YAML files on the target with any number of documents; a C(kind) that ends in C(List) is taken apart.
    type: list
    elements: path
    default: []
  conflicts:
    description:
      - Objects of something beside which the given ones would not work, each with C(apiVersion), C(kind) and
        C(metadata.name). While one of them is there, nothing is applied and the call fails. For O(state=present).
    type: list
    elements: dict
    default: []
    version_added: 0.2.0
  conflicts_remedy:
    description: What to do then, as the last words of the message.
    type: str
    default: Take it away first
    version_added: 0.2.0
  state:
    description: Whether the objects are there as given, or gone.
    type: str
    choices: [present, absent]
    default: present
  field_manager:
    description: Name under which the API server notes who manages the fields given.
    type: str
    default: edgelab
  force:
    description: Take fields over from other managers; otherwise a field managed by another is an error.
    type: bool
    default: true
  recreate:
    description:
      - Delete and create an object again whose change the API server refuses as invalid, e.g. the image of an init
        container or the selector of a Job.
    type: bool
    default: false
  wait_established:
    description: Wait until CustomResourceDefinitions are established and served before going on.
    type: bool
    default: true
  wait_ready:
    description: Wait until the Pods of Deployments and DaemonSets are updated and ready.
    type: bool
    default: false
    version_added: 0.2.0
  timeout:
    description: Seconds that the whole call may wait; then it fails and says what it last saw.
    type: float
    default: 60
attributes:
  check_mode:
    description: The API server computes the result without keeping it. Objects whose kind or namespace does not
      exist yet count as created.
    support: full
  diff_mode:
    description: The objects before and after, without status; the data of Secrets is hidden.
    support: full
  idempotent:
    description: Nothing is changed when all objects are as given.
    support: full
"""

EXAMPLES = r"""
- name: Define the kinds and settle the permissions
  edgelab.akri.manifests:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    src:
      - "{{ role_path }}/files/crds.yaml"
    definition:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: akri

- name: Take a Pod away and wait until it is gone
  edgelab.akri.manifests:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    state: absent
    definition:
      - apiVersion: v1
        kind: Pod
        metadata:
          name: wasi-debug-echo
          namespace: default
"""

RETURN = r"""
objects:
  description: Each object and what was done to it, in the order of the work. Empty when there was no cluster to ask.
  returned: success
  type: list
  elements: dict
  sample:
    - action: created
      api_version: v1
      kind: Namespace
      name: akri
      namespace: ""
      uid: 1d97a433-2a9d-4ce8-b6c9-c23ae80686fe
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, Cluster, run
from ansible_collections.edgelab.akri.plugins.module_utils._manifests import Options, absent, present, refuse_beside
from ansible_collections.edgelab.akri.plugins.module_utils._manifests_model import read, result

SPEC = {
    **KUBE_SPEC,
    "definition": {"type": "list", "elements": "dict", "default": []},
    "src": {"type": "list", "elements": "path", "default": []},
    "conflicts": {"type": "list", "elements": "dict", "default": []},
    "conflicts_remedy": {"type": "str", "default": "Take it away first"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "field_manager": {"type": "str", "default": "edgelab"},
    "force": {"type": "bool", "default": True},
    "recreate": {"type": "bool", "default": False},
    "wait_established": {"type": "bool", "default": True},
    "wait_ready": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 60},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given = module.params
    names = ("field_manager", "force", "recreate", "wait_established", "wait_ready", "timeout")

    def work(cluster: Cluster) -> dict[str, Any]:
        manifests = read(given["definition"], given["src"])
        if given["state"] == "present":
            refuse_beside(cluster, read(given["conflicts"], []), manifests, given["conflicts_remedy"])
        ensure = present if given["state"] == "present" else absent
        options = Options(**{name: given[name] for name in names}, dry_run=module.check_mode)
        return result(ensure(cluster, manifests, options))

    run(module, work, would={"objects": []})


if __name__ == "__main__":
    main()
