#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Whether a machine can be a node of a lab, and how far it has come: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: linux_node_info
short_description: Tell whether a machine can be a node of a lab
version_added: 0.1.0
description:
  - Says what keeps the machine from it (another lab, another kubelet or containerd, an unknown system), with the
    remedy, and whether it has joined the lab already.
  - Works on Debian and Ubuntu. Needs nothing but Python on the target.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.looks
options:
  lab:
    description: Name of the lab.
    type: str
    required: true
  server:
    description: URL of its API server.
    type: str
    required: true
  ca:
    description: Certificates of the API server's authority, as PEM.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: See whether this machine can be a node
  edgelab.akri.linux_node_info:
    lab: default
    server: https://192.0.2.7:20001
    ca: "{{ lookup('ansible.builtin.file', 'ca.crt') }}"
  become: true
  register: found
"""

RETURN = r"""
obstacle:
  description: What keeps it from being a node, and the remedy; empty when nothing does.
  returned: success
  type: str
  sample: ""
architecture:
  description: Of the machine, as Go names it; empty for one that there is no kubelet for.
  returned: success
  type: str
  sample: amd64
address:
  description: Address of the machine on the way to the API server; empty when there is no way.
  returned: success
  type: str
  sample: 192.0.2.20
joined:
  description: Whether its kubelet has an identity in this cluster.
  returned: success
  type: bool
serving:
  description: Whether its kubelet has a certificate of this cluster to serve with.
  returned: success
  type: bool
programs:
  description: Digests (sha256) of the programs that have been brought to it, by name.
  returned: success
  type: dict
  sample:
    kubelet: 1f4d3f9d6a3c0f5b8c7e2a1b9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._host import run
from ansible_collections.edgelab.akri.plugins.module_utils._linux_node import look

SPEC = {
    "lab": {"type": "str", "required": True},
    "server": {"type": "str", "required": True},
    "ca": {"type": "str", "default": ""},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    run(module, lambda: look(**module.params))


if __name__ == "__main__":
    main()
