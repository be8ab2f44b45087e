#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""The instances of labs in Google Compute Engine: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gce_instance_info
short_description: List the machines of labs in Google Compute Engine
version_added: 0.1.0
description:
  - Lists the instances of a project that M(edgelab.akri.gce_instance) made, in all zones. Runs on the controller.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: [edgelab.akri.gce, edgelab.akri.looks]
options:
  lab:
    description: Only the machine of this lab.
    type: str
"""

EXAMPLES = r"""
- name: Find the machine of a lab
  edgelab.akri.gce_instance_info:
    project: my-project
    lab: workshop
  register: found
"""

RETURN = r"""
instances:
  description: The instances.
  returned: success
  type: list
  elements: dict
  sample:
    - name: edgelab-workshop
      lab: workshop
      zone: europe-west1-b
      status: RUNNING
      address: 203.0.113.80
      machine_type: e2-standard-4
      labels: {edgelab-lab: workshop, edgelab-made-by: edgelab-akri, edgelab-expires: "1795294800"}
      expires: 1795294800
      os_login: false
      user: edgelab
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._gce_client import Compute
from ansible_collections.edgelab.akri.plugins.module_utils._gce_instance import listed
from ansible_collections.edgelab.akri.plugins.module_utils._gce_module import GCE_SPEC, run
from ansible_collections.edgelab.akri.plugins.module_utils._gce_oslogin import OsLogin

SPEC = {**GCE_SPEC, "lab": {"type": "str"}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)

    def work(compute: Compute, os_login: OsLogin) -> dict[str, Any]:
        return {"changed": False, "instances": listed(compute, os_login, module.params["lab"])}

    run(module, work)


if __name__ == "__main__":
    main()
