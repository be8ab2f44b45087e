#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Takes the Pods of a node away: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_pods
short_description: Take the Pods of a node away
version_added: 0.1.0
description:
  - Deletes every Pod that is bound to a node, in all namespaces, and waits until the node has ended them. The node has
    to run for that.
  - Unlike C(kubectl drain) it keeps no disruption budgets, since the node is about to go for good.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.kube
options:
  name:
    description: Name of the node; one that does not exist has no Pods.
    type: str
    required: true
  state:
    description: That they are gone is all that can be asked for.
    type: str
    choices: [absent]
    default: absent
  timeout:
    description: Seconds to wait until the Pods are gone.
    type: float
    default: 60
attributes:
  check_mode:
    description: Names the Pods that would go.
    support: full
  diff_mode:
    description: Names the Pods that go.
    support: full
  idempotent:
    description: Nothing is changed on a node without Pods.
    support: full
"""

EXAMPLES = r"""
- name: Empty the node before it goes
  edgelab.akri.node_pods:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    name: krustlet-wasi
"""

RETURN = r"""
pods:
  description: The Pods that went, each with its namespace.
  returned: when there was a cluster to ask
  type: list
  elements: str
  sample: [default/wasi-debug-echo]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, run
from ansible_collections.edgelab.akri.plugins.module_utils._node_pods import remove

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["absent"], "default": "absent"},
    "timeout": {"type": "float", "default": 60},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given, dry_run = module.params, module.check_mode
    run(
        module,
        lambda cluster: remove(cluster, given["name"], timeout=given["timeout"], dry_run=dry_run),
        would={"changed": False, "pods": []},
    )


if __name__ == "__main__":
    main()
