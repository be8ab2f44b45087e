#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""What a cluster's nodes are: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: Tell what the nodes of a cluster run
version_added: 0.1.0
description:
  - Reads the versions that the nodes tell, for a comparison with a table of versions that do not work together, and the
    addresses that they give to Pods.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: [edgelab.akri.kube, edgelab.akri.looks]
"""

EXAMPLES = r"""
- name: Look at the nodes
  edgelab.akri.cluster_info:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
  register: cluster
"""

RETURN = r"""
nodes:
  description: The nodes.
  returned: success
  type: list
  elements: dict
  sample:
    - name: edgelab-default-control-plane
      kubernetes: v1.36.3
      runtime: containerd
      runtime_version: 2.1.4
      operating_system: linux
      architecture: amd64
      pod_cidrs: [10.245.0.0/24]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._cluster_info import look
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=KUBE_SPEC, supports_check_mode=True)
    run(module, look, would={"changed": False, "nodes": []})


if __name__ == "__main__":
    main()
