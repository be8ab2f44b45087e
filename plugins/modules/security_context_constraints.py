#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""OpenShift's SecurityContextConstraints are as given, or gone: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: security_context_constraints
short_description: Keep OpenShift's SecurityContextConstraints as given
version_added: 0.1.0
description:
  - Applies or deletes SecurityContextConstraints by OpenShift's own client, as C(oc apply) does - fields that OpenShift
    fills in are left alone.
author: The edgelab.akri authors (!UNKNOWN)
requirements:
  - openshift (the Python package), on clusters of OpenShift's
extends_documentation_fragment: edgelab.akri.kube
options:
  definition:
    description: The constraints; C(apiVersion) and C(kind) may be left out.
    type: list
    elements: dict
    required: true
  required:
    description: Whether a cluster without SecurityContextConstraints, which is not OpenShift's, is an error. Otherwise
      nothing is done there.
    type: bool
    default: false
  state:
    description: Whether the constraints are there as given, or gone.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: The constraints before and after.
    support: full
  idempotent:
    description: Nothing is changed when all are as given.
    support: full
"""

EXAMPLES = r"""
- name: Let the agent use directories of its node
  edgelab.akri.security_context_constraints:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    definition:
      - metadata: {name: akri-agent}
        allowHostDirVolumePlugin: true
        allowHostIPC: false
        allowHostNetwork: false
        allowHostPID: false
        allowHostPorts: false
        allowPrivilegedContainer: false
        readOnlyRootFilesystem: false
        runAsUser: {type: RunAsAny}
        seLinuxContext: {type: RunAsAny}
        volumes: [hostPath, projected]
        users: ["system:serviceaccount:akri:akri-agent-sa"]
"""

RETURN = r"""
objects:
  description: The constraints and what was done to each. Empty where the cluster is not OpenShift's.
  returned: success
  type: list
  elements: dict
  sample:
    - action: created
      api_version: security.openshift.io/v1
      kind: SecurityContextConstraints
      name: akri-agent
      namespace: ""
      uid: 1d97a433-2a9d-4ce8-b6c9-c23ae80686fe
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, Cluster, LabError, run
from ansible_collections.edgelab.akri.plugins.module_utils._security_context_constraints import (
    API_VERSION,
    KIND,
    MISSING,
    absent,
    constraints,
    is_served,
    present,
)

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "definition": {"type": "list", "elements": "dict", "required": True},
    "required": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given, dry_run = module.params, module.check_mode

    def work(cluster: Cluster) -> dict[str, Any]:
        if not is_served(cluster):
            if given["required"] and given["state"] == "present":
                raise LabError(f"Keep {KIND}", f"The API server does not serve {API_VERSION}", "It is not OpenShift's")
            return {"changed": False, "objects": []}
        if MISSING:
            module.fail_json(msg=missing_required_lib(MISSING[0], reason="for OpenShift"), missing=MISSING)
        ensure = present if given["state"] == "present" else absent
        with constraints(given["kubeconfig"], given["context"]) as resource:
            return ensure(resource, given["definition"], dry_run=dry_run)

    run(module, work, would={"changed": given["required"], "objects": []})


if __name__ == "__main__":
    main()
