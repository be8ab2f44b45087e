#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""crictl talks to the container runtime that is there: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: crictl_config
short_description: Tell crictl where the container runtime is
version_added: 0.1.0
description:
  - Writes both endpoints into crictl's configuration - the one that is given, else the one that the configuration names
    already if something listens there, else the first of O(sockets) on which something listens.
  - Other lines of a configuration stay. One that this module did not write is kept beside it as
    C(.before-edgelab) and is put back by O(state=absent).
author: The edgelab.akri authors (!UNKNOWN)
options:
  path:
    description: The configuration.
    type: str
    default: /etc/crictl.yaml
  endpoint:
    description: The runtime's socket, as a path or a URL. It need not be there yet.
    type: str
    default: ""
  sockets:
    description: Where to look for a runtime, in this order, by the names of the runtimes.
    type: dict
    default: {}
  command:
    description: What to put before a command to run it on another node, for example C([podman, exec, NAME]). Without
      it, this machine is meant.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) puts back what was there before.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Looks for the socket and writes nothing.
    support: full
  diff_mode:
    description: The configuration before and after.
    support: full
  idempotent:
    description: A configuration with the wanted endpoints stays as it is.
    support: full
"""

EXAMPLES = r"""
- name: Let crictl talk to what runs here
  edgelab.akri.crictl_config:
    sockets:
      CRI-O: /run/crio/crio.sock
      containerd: /run/containerd/containerd.sock
"""

RETURN = r"""
endpoint:
  description: The runtime's endpoint in the configuration; empty when there is none.
  returned: success
  type: str
  sample: unix:///run/containerd/containerd.sock
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._crictl import (
    apply,
    endpoint_of,
    find_endpoint,
    look,
    plan_absent,
    plan_present,
    result,
)
from ansible_collections.edgelab.akri.plugins.module_utils._crictl_places import Here, Node
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run

SPEC = {
    "path": {"type": "str", "default": "/etc/crictl.yaml"},
    "endpoint": {"type": "str", "default": ""},
    "sockets": {"type": "dict", "default": {}},
    "command": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given = module.params

    def work() -> dict[str, Any]:
        place = Node(given["command"]) if given["command"] else Here()
        found = look(place, given["path"])
        if given["state"] == "absent":
            plan = plan_absent(found)
        else:
            wanted = endpoint_of(given["endpoint"]) or find_endpoint(place, found, given["sockets"])
            plan = plan_present(found, wanted)
        if not module.check_mode:
            apply(place, given["path"], plan)
        return result(given["path"], plan)

    run(module, work)


if __name__ == "__main__":
    main()
