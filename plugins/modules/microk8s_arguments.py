#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Arguments of MicroK8s' services are as given: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: microk8s_arguments
short_description: Set arguments of MicroK8s' services, each once
version_added: 0.1.0
description:
  - Sets arguments in the files under C(/var/snap/microk8s/current/args), each on one line, whatever was there. Needs
    root.
  - When something differs, or when an earlier run was cut off before it had done so, restarts kubelite once and waits
    until MicroK8s is ready. What an earlier run set and is not given any more is put back.
  - The values of before are recorded for M(edgelab.akri.microk8s) with O(ignore:state=absent).
author: The edgelab.akri authors (!UNKNOWN)
options:
  lab:
    description: The lab's state directory.
    type: path
    required: true
  arguments:
    description:
      - "Values by service and flag, as in C({kube-apiserver: {--allow-privileged: 'true'}}); null takes a flag away."
      - Services are kube-apiserver, kube-controller-manager, kube-scheduler, kube-proxy and kubelet.
    type: dict
    required: true
  required:
    description: Flags by service that must have a value already, which is nobody's business here.
    type: dict
    default: {}
  wait:
    description: How long MicroK8s may take to become ready again, in seconds.
    type: int
    default: 300
attributes:
  check_mode:
    description: Reads the files. Where there is no MicroK8s yet, something would be changed.
    support: full
  diff_mode:
    description: The files that change.
    support: full
  idempotent:
    description: Compares with the files.
    support: full
"""

EXAMPLES = r"""
- name: Let nodes join by bootstrap tokens
  edgelab.akri.microk8s_arguments:
    lab: "{{ lab_paths.state }}"
    arguments:
      kube-apiserver:
        --enable-bootstrap-token-auth: "true"
    required:
      kube-controller-manager: [--cluster-signing-cert-file, --cluster-signing-key-file]
  become: true
"""

RETURN = r""" # """

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s import Host
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s_arguments import (
    SERVICES,
    ensure,
    refuse_missing,
)

SPEC: dict[str, Any] = {
    "lab": {"type": "path", "required": True},
    "arguments": {"type": "dict", "required": True},
    "required": {"type": "dict", "default": {}},
    "wait": {"type": "int", "default": 300},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given, host = module.params, Host()
    if unknown := sorted({*given["arguments"], *given["required"]} - set(SERVICES)):
        module.fail_json(msg=f"No services of MicroK8s: {', '.join(unknown)}. There are: {', '.join(SERVICES)}.")
    if module.check_mode and not host.installed:
        module.exit_json(changed=True)

    def work() -> dict[str, Any]:
        record = host.recorded(given["lab"])
        refuse_missing(host, given["required"])
        return ensure(host, record, given["arguments"], wait=given["wait"], dry_run=module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
