#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Whether a machine can have v4l2loopback, and what that takes: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: v4l2loopback_info
short_description: Tell whether a machine can have v4l2loopback
version_added: 0.1.0
description:
  - Looks at the kernel (modules, video support, headers, Secure Boot, container) and at the package lists, and says
    what stands in the way of v4l2loopback 0.12.5 or newer, with the remedy, or which packages it still takes.
  - Works on Debian and Ubuntu. Needs nothing but Python on the target.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.looks
"""

EXAMPLES = r"""
- name: See what v4l2loopback takes here
  edgelab.akri.v4l2loopback_info:
  register: found

- name: See that it can be had
  ansible.builtin.assert:
    that: found.obstacle == ''
    fail_msg: "{{ found.obstacle }}"
"""

RETURN = r"""
kernel:
  description: Release of the running kernel.
  returned: success
  type: str
  sample: 6.1.0-56-amd64
obstacle:
  description: Why this machine cannot have v4l2loopback as it is, and the remedy; empty when nothing stands in the way.
  returned: success
  type: str
  sample: ""
packages:
  description: Packages that are still to be installed, among them the headers of the running kernel.
  returned: success
  type: list
  elements: str
  sample: [linux-headers-6.1.0-56-amd64, linux-headers-amd64, v4l2loopback-dkms]
version:
  description: Version of the module that there is for the running kernel; empty when there is none.
  returned: success
  type: str
  sample: 0.12.7
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._host import run
from ansible_collections.edgelab.akri.plugins.module_utils._v4l2loopback_probe import report


def main() -> None:
    """Run the module."""
    run(AnsibleModule(argument_spec={}, supports_check_mode=True), report)


if __name__ == "__main__":
    main()
