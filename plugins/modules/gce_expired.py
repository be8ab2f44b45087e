#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Nothing of labs is left in Google Compute Engine whose time has passed: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gce_expired
short_description: Delete what expired labs left in Google Compute Engine
version_added: 0.1.0
description:
  - Deletes instances, disks without instance and firewall rules of a project that M(edgelab.akri.gce_instance) made
    and whose time has passed, whoever made them. Nothing else is touched. Runs on the controller.
  - Compute Engine deletes an expired instance by itself, but not its firewall rule.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.gce
attributes:
  check_mode:
    description: Says what it would delete.
    support: full
  diff_mode:
    description: The steps that are done.
    support: full
  idempotent:
    description: Nothing is changed where nothing expired is left.
    support: full
"""

EXAMPLES = r"""
- name: Delete what expired
  edgelab.akri.gce_expired:
    project: my-project
"""

RETURN = r"""
steps:
  description: What was deleted, or would be.
  returned: success
  type: list
  elements: str
  sample:
    - delete instance edgelab-workshop in europe-west1-b
    - delete firewall rule edgelab-workshop-ssh
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._gce_instance import expired
from ansible_collections.edgelab.akri.plugins.module_utils._gce_module import GCE_SPEC, run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=GCE_SPEC, supports_check_mode=True)
    run(module, lambda compute, _os_login: expired(compute, time.time(), dry_run=module.check_mode))


if __name__ == "__main__":
    main()
