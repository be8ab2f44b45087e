#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Approves a certificate signing request by its content."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_signing_request
short_description: Approves a certificate signing request by its content
version_added: 0.1.0
description:
  - Approves a Kubernetes CertificateSigningRequest when its signer, requestor, subject, names and usages are exactly
    what was given, and refuses it otherwise, naming each deviation. A name alone proves nothing, anybody who may
    create requests can take it.
  - Waits for the request to appear and, after the approval, for its certificate.
  - Kubernetes deletes an approved request after an hour. Give O(status_socket) to tell a certificate that was issued
    long ago from one that was never asked for.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment:
  - edgelab.akri.kube
options:
  name:
    description:
      - Name of the request.
      - Without it, the requests of O(username) to O(signer) are meant, as kubelets make them, whatever they are called.
    type: str
  renewals:
    description:
      - Whether requests called O(name)-SUFFIX are meant too, as a node makes them when it renews its certificate.
        The newest pending one that is as wanted is approved.
    type: bool
    default: false
  state:
    description:
      - V(approved) makes sure that it is approved and signed.
      - V(denied) denies a pending request, whatever its content.
      - V(absent) deletes the request; a certificate that was issued stays valid.
    type: str
    choices: [approved, denied, absent]
    default: approved
  signer:
    description: Wanted signer, for example V(kubernetes.io/kubelet-serving). Required for V(state=approved).
    type: str
  username:
    description: User who must have made the request. Required for V(state=approved).
    type: str
  common_name:
    description: Common name of the wanted subject. Required for V(state=approved).
    type: str
  organizations:
    description: Organizations of the wanted subject, all of them.
    type: list
    elements: str
    default: []
  dns_names:
    description: DNS names of the wanted certificate, all of them.
    type: list
    elements: str
    default: []
  ip_addresses:
    description: IP addresses of the wanted certificate, all of them.
    type: list
    elements: str
    default: []
  usages:
    description: Wanted key usages as Kubernetes calls them, all of them. Required for V(state=approved).
    type: list
    elements: str
  status_socket:
    description:
      - Status socket of the edgelab node that makes the request. When it says that it has its certificate and waits for
        no other, there is nothing to do; until then a request that is signed already is not the one that is meant.
    type: path
  issued:
    description:
      - For a program without a status socket, whether it has its certificate. If so, a request that is pending is
        approved, but none is waited for; if not, a request that is signed already is not the one that is meant.
    type: bool
  timeout:
    description: Seconds to wait for the request and for its certificate together.
    type: float
    default: 30
attributes:
  check_mode:
    description: Judges a request that is there; does not wait for one that is not.
    support: full
  diff_mode:
    description: Shows the state of the request before and after.
    support: full
requirements:
  - cryptography
"""

EXAMPLES = r"""
- name: Approve the serving certificate of the Wasm node
  edgelab.akri.certificate_signing_request:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    name: krustlet-wasi-tls
    renewals: true
    signer: kubernetes.io/kubelet-serving
    username: system:node:krustlet-wasi
    common_name: system:node:krustlet-wasi
    organizations: [system:nodes]
    dns_names: [krustlet-wasi]
    ip_addresses: [127.0.0.1]
    usages: [digital signature, key encipherment, server auth]

- name: Approve the serving certificate of a kubelet
  edgelab.akri.certificate_signing_request:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    signer: kubernetes.io/kubelet-serving
    username: system:node:edge
    common_name: system:node:edge
    organizations: [system:nodes]
    dns_names: [edge]
    ip_addresses: [192.0.2.20]
    usages: [digital signature, server auth]
    issued: false
"""

RETURN = r"""
name:
  description: Name of the request that was approved, denied or deleted, or that is approved already.
  returned: success
  type: str
  sample: krustlet-wasi-tls
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._csr import (
    Names,
    approve,
    deny,
    is_issued,
    is_pending,
    remove,
)
from ansible_collections.edgelab.akri.plugins.module_utils._csr_content import HAS_CRYPTOGRAPHY, wanted
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, Cluster, run
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import lacking

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "name": {"type": "str"},
    "renewals": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["approved", "denied", "absent"], "default": "approved"},
    "signer": {"type": "str"},
    "username": {"type": "str"},
    "common_name": {"type": "str"},
    "organizations": {"type": "list", "elements": "str", "default": []},
    "dns_names": {"type": "list", "elements": "str", "default": []},
    "ip_addresses": {"type": "list", "elements": "str", "default": []},
    "usages": {"type": "list", "elements": "str"},
    "status_socket": {"type": "path"},
    "issued": {"type": "bool"},
    "timeout": {"type": "float", "default": 30},
}


def ensure(cluster: Cluster, params: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Bring the request into the wanted state."""
    names = Names(params["name"] or "", params["renewals"], params["username"] or "", params["signer"] or "")
    if params["state"] == "absent":
        return remove(cluster, names, dry_run=dry_run)
    if params["state"] == "denied":
        return deny(cluster, names, dry_run=dry_run)
    if _is_served(cluster, names, params):
        return {"changed": False, "name": str(names), "diff": {}}
    return approve(
        cluster,
        names,
        wanted(params),
        timeout=params["timeout"],
        unsigned_only=bool(params["status_socket"]) or params["issued"] is not None,
        dry_run=dry_run,
    )


def _is_served(cluster: Cluster, names: Names, params: dict[str, Any]) -> bool:
    if params["issued"]:
        return not is_pending(cluster, names)
    return bool(params["status_socket"]) and is_issued(params["status_socket"])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=SPEC,
        required_if=[("state", "approved", ["signer", "username", "common_name", "usages"])],
        required_one_of=[("name", "username")],
        required_together=[("username", "signer")],
        mutually_exclusive=[("status_socket", "issued")],
        supports_check_mode=True,
    )
    params = module.params
    if not HAS_CRYPTOGRAPHY:
        lacking(module, "cryptography", name=params["name"] or params["username"])
    run(
        module,
        lambda cluster: ensure(cluster, params, dry_run=module.check_mode),
        would={"name": params["name"] or params["username"]},
    )


if __name__ == "__main__":
    main()
