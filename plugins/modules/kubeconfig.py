#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A kubeconfig for a ServiceAccount: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeconfig
short_description: Keep a kubeconfig for a ServiceAccount
version_added: 0.1.0
description:
  - Keeps a self-contained kubeconfig (server and certificate authority as in O(kubeconfig), mode 0600) with a bound
    token of a ServiceAccount.
  - The token is asked for by TokenRequest; it is renewed when the API server refuses it, when the ServiceAccount was
    created anew, or when less than a third of its time is left.
  - The token is never shown or returned. It stays valid until it expires or its ServiceAccount is deleted.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.kube
options:
  path:
    description: The file.
    type: path
    required: true
  service_account:
    description: Name of the ServiceAccount. Required unless O(state=absent).
    type: str
  namespace:
    description: Namespace of the ServiceAccount, and the kubeconfig's default namespace.
    type: str
    default: default
  token_seconds:
    description:
      - How long a new token lasts, in seconds, at least 600. The API server may grant less.
      - The default is a year, as long as certificates last, since a lab may run that long without being looked at.
    type: int
    default: 31536000
  state:
    description: Whether the file is there and good, or gone.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Everything is looked at, nothing is written. A ServiceAccount that is not there yet counts as one
      that will be.
    support: full
  diff_mode:
    description: Says why the file is written; never its content.
    support: full
  idempotent:
    description: Nothing is written while the file is good.
    support: full
"""

EXAMPLES = r"""
- name: Give the controller its own identity
  edgelab.akri.kubeconfig:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    path: "{{ lab_paths.kubeconfigs }}/controller"
    namespace: akri
    service_account: akri-controller
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /home/me/.local/state/edgelab/default/kubeconfigs/controller
reason:
  description: Why the file was written, empty when it was good.
  returned: when O(state=present) and there was a cluster to ask
  type: str
  sample: less than a third of its token's time is left
expires:
  description: When its token expires, in UTC.
  returned: when O(state=present) and there was a cluster to ask
  type: str
  sample: "2027-11-21T09:01:31+00:00"
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, run
from ansible_collections.edgelab.akri.plugins.module_utils._kubeconfig import Wanted, ensure, remove

SPEC = {
    **KUBE_SPEC,
    "path": {"type": "path", "required": True},
    "service_account": {"type": "str"},
    "namespace": {"type": "str", "default": "default"},
    "token_seconds": {"type": "int", "default": 31536000, "no_log": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    required_if = [("state", "present", ["service_account"])]
    module = AnsibleModule(argument_spec=SPEC, required_if=required_if, supports_check_mode=True)
    given, dry_run = module.params, module.check_mode
    path = Path(given["path"])
    if given["state"] == "absent":
        module.exit_json(**remove(path, dry_run=dry_run))
    wanted = Wanted(path, given["namespace"], given["service_account"], given["token_seconds"])
    run(
        module,
        lambda cluster: ensure(cluster, wanted, now=time.time(), dry_run=dry_run),
        would={"path": str(path)},
    )


if __name__ == "__main__":
    main()
