#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Waits until a Pod has said something: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_log_info
short_description: Wait for lines in the log of a Pod
version_added: 0.2.0
description:
  - Reads the log of a Pod, and follows it, until there is a line for each of some patterns.
  - For Pods that use no device themselves; M(edgelab.akri.instance_info) does so for the brokers of a Configuration.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.kube
options:
  namespace:
    description: Namespace of the Pod.
    type: str
    default: default
  selector:
    description: Labels of the Pod, such as those of a Deployment. Of several that run, the newest counts.
    type: str
    required: true
  patterns:
    description: Regular expressions; each is looked for in every line.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to wait for all lines together. In check mode nothing is read.
    type: float
    default: 60
attributes:
  check_mode:
    description: Changes nothing; in check mode it reads nothing.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Wait until the client has got a value of this device
  edgelab.akri.pod_log_info:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    selector: app.kubernetes.io/name=http-client
    patterns: ["^http client akri-http-aae70c value "]
"""

RETURN = r"""
pod:
  description: Name of the Pod; empty in check mode.
  returned: success
  type: str
  sample: http-client-6d5f8c9b7-x2x4q
lines:
  description: For each pattern the first line that matched, in the order of the patterns.
  returned: success
  type: list
  elements: str
  sample: [http client akri-http-aae70c value 42.17]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, Cluster, run
from ansible_collections.edgelab.akri.plugins.module_utils._pod_log import wait_for_lines

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "namespace": {"type": "str", "default": "default"},
    "selector": {"type": "str", "required": True},
    "patterns": {"type": "list", "elements": "str", "required": True},
    "timeout": {"type": "float", "default": 60},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given = module.params
    nothing = {"changed": False, "pod": "", "lines": []}

    def work(cluster: Cluster) -> dict[str, Any]:
        if module.check_mode:
            return nothing
        wanted = given["namespace"], given["selector"], given["patterns"]
        heard = wait_for_lines(cluster, *wanted, timeout=given["timeout"])
        return {**nothing, "pod": heard.pod, "lines": heard.lines}

    run(module, work, would=nothing)


if __name__ == "__main__":
    main()
