#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A machine is a node of a lab, or as it was before: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: linux_node
short_description: Make a machine a node of a lab
version_added: 0.1.0
description:
  - Installs containerd, runc and plugins for networks from the distribution, writes what containerd, kubelet and
    kube-proxy read, runs them as services of systemd, and waits until the node is Ready.
  - The programs kubelet and kube-proxy have to be in C(/usr/local/lib/edgelab).
  - What the machine was before is recorded on it; O(state=absent) gives it back as it was, with the packages that came,
    and needs no API server for that.
author: The edgelab.akri authors (!UNKNOWN)
options:
  name:
    description: Name of the node. Required for O(state=present), like all that follows without a default.
    type: str
  lab:
    description: Name of the lab.
    type: str
  address:
    description: Address of the node, which the API server reaches its kubelet at.
    type: str
  pod_range:
    description: Addresses of its Pods.
    type: str
  server:
    description: URL of the API server.
    type: str
  ca:
    description: Certificates of the API server's authority, as PEM.
    type: str
  bootstrap:
    description: Kubeconfig to join the cluster with. Not needed once it has joined.
    type: str
  registry:
    description: The lab's registry.
    type: dict
    suboptions:
      address:
        description: HOST:PORT.
        type: str
        required: true
      ca:
        description: Certificates of its authority, as PEM.
        type: str
        required: true
      client_certificate:
        description: What it asks of its clients, as PEM.
        type: str
      client_key:
        description: Key of O(registry.client_certificate), as PEM.
        type: str
  pause_image:
    description: Image for the sandboxes of Pods. Empty is one that is made on the node, of the package catatonit.
    type: str
    default: ""
  wait:
    description: How many seconds the node may take to become Ready.
    type: float
    default: 300
  state:
    description: V(absent) gives the machine back.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Nothing is installed, written or started; Ready is not waited for.
    support: full
  diff_mode:
    description: Files; of secret ones the names alone.
    support: full
  idempotent:
    description: Compares packages, files, services and the image for sandboxes with what is wanted.
    support: full
"""

EXAMPLES = r"""
- name: Give a machine back
  edgelab.akri.linux_node:
    state: absent
  become: true
"""

RETURN = r""" # """

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils import _linux_node
from ansible_collections.edgelab.akri.plugins.module_utils._host import run

REGISTRY = {
    "address": {"type": "str", "required": True},
    "ca": {"type": "str", "required": True},
    "client_certificate": {"type": "str"},
    "client_key": {"type": "str", "no_log": True},
}
SPEC = {
    "name": {"type": "str"},
    "lab": {"type": "str"},
    "address": {"type": "str"},
    "pod_range": {"type": "str"},
    "server": {"type": "str"},
    "ca": {"type": "str"},
    "bootstrap": {"type": "str", "no_log": True},
    "registry": {"type": "dict", "options": REGISTRY},
    "pause_image": {"type": "str", "default": ""},
    "wait": {"type": "float", "default": 300},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    required = ["name", "lab", "address", "pod_range", "server", "ca", "registry"]
    module = AnsibleModule(argument_spec=SPEC, required_if=[("state", "present", required)], supports_check_mode=True)

    def work() -> dict[str, Any]:
        if module.params["state"] == "absent":
            return _linux_node.absent(dry_run=module.check_mode)
        wanted = _linux_node.node(module.params)
        return _linux_node.present(wanted, seconds=module.params["wait"], dry_run=module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
