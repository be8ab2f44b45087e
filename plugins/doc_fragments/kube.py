# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the options in KUBE_SPEC (plugins/module_utils/_kube.py)."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that talk to an API server."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig to connect with; several, joined by colons, are merged as kubectl does.
      - There is no default beyond the environment variables E(K8S_AUTH_KUBECONFIG) and E(KUBECONFIG), so that a
        lab's objects never end up in another cluster by accident.
      - Proxies of the environment are not used for an API server on a loopback address.
    type: path
    required: true
  context:
    description:
      - Context of the kubeconfig; by default its current one, or that of E(K8S_AUTH_CONTEXT).
    type: str
requirements:
  - kubernetes
  - edgelab (the runtime of this collection)
notes:
  - In check mode, when the kubeconfig does not exist yet, the module reports what it would do; when the API server
    does not answer, it warns and reports no change.
"""
