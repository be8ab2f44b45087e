#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Addons of MicroK8s are enabled or disabled: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: microk8s_addon
short_description: Enable or disable addons of MicroK8s
version_added: 0.1.0
description:
  - Enables or disables addons by what C(microk8s status --format yaml) says, and waits until it says so. Needs root.
  - Those of the community need the addon C(community), which may stand before them in the list.
  - MicroK8s does not tell which arguments an addon has. Those given here are recorded, and an addon that was enabled
    here is disabled and enabled anew when they change. One that was enabled by others stays as it is.
author: The edgelab.akri authors (!UNKNOWN)
options:
  lab:
    description: The lab's state directory.
    type: path
    required: true
  addons:
    description: The addons, in the order in which they are enabled. They are disabled in the reverse one.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name, or C(REPOSITORY/NAME).
        type: str
        required: true
      arguments:
        description: What C(microk8s enable) is given after the name.
        type: list
        elements: str
        default: []
      disable_arguments:
        description: What C(microk8s disable) is given after the name, e.g. C(destroy-storage), where it would ask.
        type: list
        elements: str
        default: []
  state:
    description: What they shall be.
    type: str
    choices: [enabled, disabled]
    default: enabled
  ours:
    description: Whether O(state=disabled) leaves addons alone that the lab did not enable.
    type: bool
    default: false
  wait:
    description: How long each addon, and MicroK8s itself, may take, in seconds.
    type: int
    default: 300
attributes:
  check_mode:
    description: Asks for the status, changes nothing. Where there is no MicroK8s yet, everything would be changed.
    support: full
  diff_mode:
    description: The addons that change.
    support: full
  idempotent:
    description: Compares with the status.
    support: full
"""

EXAMPLES = r"""
- name: Have names in the cluster, access control and an addon of the community
  edgelab.akri.microk8s_addon:
    lab: "{{ lab_paths.state }}"
    addons:
      - name: dns
      - name: rbac
      - name: community
      - name: community/portainer
  become: true
"""

RETURN = r"""
addons:
  description: All addons that MicroK8s has, and whether they are enabled.
  returned: when there is a MicroK8s
  type: dict
  sample: {core/dns: true, core/rbac: true, core/registry: false}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s import Host
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s_addons import Addon, ensure, is_ours

_WORDS = {"type": "list", "elements": "str", "default": []}
SPEC: dict[str, Any] = {
    "lab": {"type": "path", "required": True},
    "addons": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "arguments": _WORDS,
            "disable_arguments": _WORDS,
        },
    },
    "state": {"type": "str", "choices": ["enabled", "disabled"], "default": "enabled"},
    "ours": {"type": "bool", "default": False},
    "wait": {"type": "int", "default": 300},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given, host = module.params, Host()
    if not host.installed and (module.check_mode or given["state"] == "disabled"):
        module.exit_json(changed=given["state"] == "enabled")
    addons = [Addon(one["name"], tuple(one["arguments"]), tuple(one["disable_arguments"])) for one in given["addons"]]
    enabled = given["state"] == "enabled"

    def work() -> dict[str, Any]:
        record = host.recorded(given["lab"])
        wanted = addons if enabled else [one for one in addons[::-1] if not given["ours"] or is_ours(one, record)]
        return ensure(host, record, wanted, enabled=enabled, wait=given["wait"], dry_run=module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
