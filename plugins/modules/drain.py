#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Takes every Configuration of Akri away: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drain
short_description: Take every Configuration of Akri away
version_added: 0.1.0
description:
  - Deletes the Configurations of all namespaces and waits until they and all Instances are gone. The agents have to run
    for that, since their finalizers hold both; so this comes before anything of Akri is uninstalled.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.kube
options:
  state:
    description: That they are gone is all that can be asked for.
    type: str
    choices: [absent]
    default: absent
  timeout:
    description: Seconds to wait until all are gone.
    type: float
    default: 60
attributes:
  check_mode:
    description: Names the Configurations that would go.
    support: full
  diff_mode:
    description: The Configurations that go.
    support: full
  idempotent:
    description: Nothing is changed where there is no Configuration.
    support: full
"""

EXAMPLES = r"""
- name: Take every Configuration away before Akri goes
  edgelab.akri.drain:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
"""

RETURN = r"""
configurations:
  description: The Configurations that went.
  returned: when there was a cluster to ask
  type: list
  elements: str
  sample: [Configuration default/akri-debug-echo]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._drain import drain
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, run

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "state": {"type": "str", "choices": ["absent"], "default": "absent"},
    "timeout": {"type": "float", "default": 60},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    timeout, dry_run = module.params["timeout"], module.check_mode
    run(
        module,
        lambda cluster: drain(cluster, timeout=timeout, dry_run=dry_run),
        would={"changed": False, "configurations": []},
    )


if __name__ == "__main__":
    main()
