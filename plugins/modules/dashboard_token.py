#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A token of a ServiceAccount is shown to a person: see DOCUMENTATION.

This file asks for the token; the action plugin of the same name shows it and takes it out of the result.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: dashboard_token
short_description: Show a person a token that lasts for a while
version_added: 0.1.0
description:
  - Asks Kubernetes for a token of a ServiceAccount and writes it to the terminal that C(ansible-playbook) was started
    at, past Ansible's own output. So it is in no log, fact, file or result.
  - Refused where no person looks - when the environment variable E(CI) is set, or the output is no terminal. Then
    C(kubectl create token) does the same.
  - The token is not kept. It ends by itself, or with the ServiceAccount.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.kube
options:
  namespace:
    description: Namespace of the ServiceAccount.
    type: str
    required: true
  service_account:
    description: The ServiceAccount.
    type: str
    required: true
  seconds:
    description: How long the token lasts, at least 600.
    type: int
    default: 3600
attributes:
  check_mode:
    description: Asks for nothing, shows nothing.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  idempotent:
    description: Each run shows another token. That is no change.
    support: full
"""

EXAMPLES = r"""
- name: Show a token for the dashboard
  edgelab.akri.dashboard_token:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    namespace: kubernetes-dashboard
    service_account: edgelab-dashboard
"""

RETURN = r"""
expires:
  description: When the token expires, in UTC.
  returned: when one was shown
  type: str
  sample: "2026-11-21T19:30:00Z"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, Cluster, run

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "namespace": {"type": "str", "required": True},
    "service_account": {"type": "str", "required": True},
    "seconds": {"type": "int", "default": 3600},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given = module.params
    if module.check_mode:
        module.exit_json(changed=False)

    def ask(cluster: Cluster) -> dict[str, Any]:
        path = f"/api/v1/namespaces/{given['namespace']}/serviceaccounts/{given['service_account']}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        body = {**request, "spec": {"expirationSeconds": given["seconds"]}}
        status = cluster.request("POST", path, body)["status"]
        return {"changed": False, "token": status["token"], "expires": status["expirationTimestamp"]}

    run(module, ask, would={})


if __name__ == "__main__":
    main()
