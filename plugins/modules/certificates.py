#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A set of certificates is in place and not about to expire: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: Keep a set of certificates, key pairs and kubeconfigs in place and valid
version_added: 0.1.0
description:
  - Makes certificate authorities, the certificates that they sign, key pairs without a certificate (for tokens) and
    self-contained kubeconfigs, all in one call, since each task costs time.
  - What exists is kept as long as it is readable, is signed by its authority, has the content asked for and does not
    end soon; anything else is made anew. Keys are EC P-256; keys and kubeconfigs are readable by their owner alone.
  - An authority's own certificate is renewed over its old key, so that what it signed stays valid. If that key is
    lost, the module fails and says what can be done.
author: The edgelab.akri authors (!UNKNOWN)
options:
  directory:
    description: Directory for C(NAME.crt), C(NAME.key) and C(NAME.pub); made with mode 0700.
    type: path
    required: true
  authorities:
    description: The certificate authorities.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of its files.
        type: str
        default: ca
      common_name:
        description: Its subject.
        type: str
        required: true
      days:
        description: How long its certificate is valid.
        type: int
        default: 3650
  leaves:
    description: Certificates that the authorities sign.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of its files.
        type: str
        required: true
      common_name:
        description: Common name of the subject; Kubernetes takes it for the user's name.
        type: str
        required: true
      organizations:
        description: Organizations of the subject; Kubernetes takes them for the user's groups.
        type: list
        elements: str
        default: []
      names:
        description: DNS names and IP addresses under which a server is reached.
        type: list
        elements: str
        default: []
      usages:
        description: What the certificate may be used for.
        type: list
        elements: str
        choices: [server, client]
        default: [client]
      days:
        description: How long it is valid.
        type: int
        default: 365
      authority:
        description: Name of the authority that signs it.
        type: str
        default: ca
  key_pairs:
    description: Names of key pairs, each C(NAME.key) and C(NAME.pub).
    type: list
    elements: str
    default: []
  kubeconfigs:
    description: Kubeconfigs with the certificates in them.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      server:
        description: URL of the API server.
        type: str
        required: true
      certificate:
        description: Name of the leaf that says who asks.
        type: str
        required: true
      authority:
        description: Name of the authority that vouches for the API server.
        type: str
        default: ca
      cluster:
        description: Name of the cluster and of the context.
        type: str
        default: edgelab
  renew_before:
    description: Make a certificate anew this many days before it ends.
    type: int
    default: 60
attributes:
  check_mode:
    description: Nothing is written.
    support: full
  diff_mode:
    description: Names and reasons, never content.
    support: full
  idempotent:
    description: Nothing is changed when everything is in place and valid.
    support: full
"""

EXAMPLES = r"""
- name: Keep the keys of an API server and its administrator
  edgelab.akri.certificates:
    directory: "{{ lab_paths.pki }}"
    authorities:
      - common_name: edgelab
    leaves:
      - name: kube-apiserver
        common_name: kube-apiserver
        names: [localhost, 127.0.0.1, kubernetes.default.svc]
        usages: [server]
      - name: admin
        common_name: kubernetes-admin
        organizations: ["system:masters"]
    key_pairs: [service-account]
    kubeconfigs:
      - path: "{{ lab_paths.kubeconfig }}"
        server: "https://127.0.0.1:{{ lab_ports.kube_apiserver }}"
        certificate: admin
"""

RETURN = r"""
made:
  description: What was made anew and why, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - name: kube-apiserver
      reason: ends on 2027-01-18
"""

from datetime import UTC, datetime

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._certificates import (
    MISSING,
    LabError,
    Wanted,
    apply,
    plan,
    result,
)
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import lacking

AUTHORITY = {
    "name": {"type": "str", "default": "ca"},
    "common_name": {"type": "str", "required": True},
    "days": {"type": "int", "default": 3650},
}
LEAF = {
    "name": {"type": "str", "required": True},
    "common_name": {"type": "str", "required": True},
    "organizations": {"type": "list", "elements": "str", "default": []},
    "names": {"type": "list", "elements": "str", "default": []},
    "usages": {"type": "list", "elements": "str", "choices": ["server", "client"], "default": ["client"]},
    "days": {"type": "int", "default": 365},
    "authority": {"type": "str", "default": "ca"},
}
KUBECONFIG = {
    "path": {"type": "path", "required": True},
    "server": {"type": "str", "required": True},
    "certificate": {"type": "str", "required": True},
    "authority": {"type": "str", "default": "ca"},
    "cluster": {"type": "str", "default": "edgelab"},
}
SPEC = {
    "directory": {"type": "path", "required": True},
    "authorities": {"type": "list", "elements": "dict", "required": True, "options": AUTHORITY},
    "leaves": {"type": "list", "elements": "dict", "default": [], "options": LEAF},
    "key_pairs": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "kubeconfigs": {"type": "list", "elements": "dict", "default": [], "options": KUBECONFIG},
    "renew_before": {"type": "int", "default": 60},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    if MISSING:
        lacking(module, MISSING[0], made=[])
    try:
        made = plan(Wanted.from_params(module.params), datetime.now(UTC))
        if not module.check_mode:
            apply(made)
    except LabError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result(made))


if __name__ == "__main__":
    main()
