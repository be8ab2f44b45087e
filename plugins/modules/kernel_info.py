#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Which kernel runs, and whether the machine waits for a reboot: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_info
short_description: Tell which kernel runs and whether a reboot is due
version_added: 0.1.0
description:
  - Reads which kernel runs, which ones are installed, and whether upgraded packages asked for a reboot.
  - Works on Debian and Ubuntu. Needs nothing but Python on the target.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.looks
"""

EXAMPLES = r"""
- name: Learn whether a reboot is due
  edgelab.akri.kernel_info:
  register: kernel

- name: Reboot
  ansible.builtin.reboot:
    msg: "{{ kernel.reboot_reasons | join('; ') }}"
  become: true
  when: kernel.reboot_reasons | length > 0
"""

RETURN = r"""
running:
  description: Release of the running kernel.
  returned: success
  type: str
  sample: 6.1.0-50-amd64
installed:
  description: Releases of the installed kernels, the newest one last.
  returned: success
  type: list
  elements: str
  sample: [6.1.0-50-amd64, 6.1.0-56-amd64]
reboot_reasons:
  description: Why the machine should be rebooted; empty when it need not be, and in a container.
  returned: success
  type: list
  elements: str
  sample: [kernel 6.1.0-56-amd64 is installed and 6.1.0-50-amd64 runs]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._host import run
from ansible_collections.edgelab.akri.plugins.module_utils._kernel import observe


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)

    def work() -> dict[str, Any]:
        kernel = observe()
        return {
            "running": kernel.running,
            "installed": list(kernel.installed),
            "reboot_reasons": kernel.reboot_reasons(),
        }

    run(module, work)


if __name__ == "__main__":
    main()
