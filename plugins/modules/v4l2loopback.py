#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""The devices of v4l2loopback are there, now and after each boot, or are not: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: v4l2loopback
short_description: Load v4l2loopback with given devices
version_added: 0.1.0
description:
  - Writes the options of the kernel module to C(/etc/modprobe.d) and C(/etc/modules-load.d), loads it, and loads it
    again when other devices than these are there. Every device has C(exclusive_caps), so that it passes for a camera.
  - Refuses to take devices away that somebody uses, and says who.
  - The module itself must be installed. M(edgelab.akri.v4l2loopback_info) tells what that takes.
author: The edgelab.akri authors (!UNKNOWN)
options:
  devices:
    description: The devices. Required for O(state=present).
    type: list
    elements: dict
    suboptions:
      label:
        description: "Name that programs show, up to 31 letters, digits, spaces and C(. _ : -)."
        type: str
        required: true
      number:
        description: Number of the device, C(/dev/videoNUMBER).
        type: int
        required: true
  state:
    description: V(absent) unloads the module and removes its options.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Loads nothing; the module need not be installed yet.
    support: full
  diff_mode:
    description: The files and the list of devices.
    support: full
  idempotent:
    description: Compares files and loaded devices with what is wanted.
    support: full
"""

EXAMPLES = r"""
- name: Have two cameras
  edgelab.akri.v4l2loopback:
    devices:
      - {label: door, number: 10}
      - {label: yard, number: 11}
  become: true

- name: Have none
  edgelab.akri.v4l2loopback:
    state: absent
  become: true
"""

RETURN = r"""
devices:
  description: Device nodes of the cameras.
  returned: success
  type: list
  elements: str
  sample: [/dev/video10, /dev/video11]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils import _v4l2loopback, _v4l2loopback_model
from ansible_collections.edgelab.akri.plugins.module_utils._host import run

DEVICE = {"label": {"type": "str", "required": True}, "number": {"type": "int", "required": True}}
SPEC = {
    "devices": {"type": "list", "elements": "dict", "options": DEVICE},
    "state": {"choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    required = [("state", "present", ["devices"])]
    module = AnsibleModule(argument_spec=SPEC, required_if=required, supports_check_mode=True)

    def work() -> dict[str, Any]:
        if module.params["state"] == "absent":
            return _v4l2loopback.absent(dry_run=module.check_mode)
        wanted = _v4l2loopback_model.devices(module.params["devices"])
        return _v4l2loopback.present(wanted, dry_run=module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
