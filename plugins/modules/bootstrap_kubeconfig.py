#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Keeps a kubeconfig by which a node can join the cluster: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bootstrap_kubeconfig
short_description: Lets a node without an identity join the cluster
version_added: 0.1.0
description:
  - Makes a bootstrap token and writes a self-contained kubeconfig with it (mode 0600), unless the node has an identity
    already, that is, unless the kubeconfig O(identity) holds a client certificate of this cluster that is valid.
  - A file that is there in spite of it, but is damaged, open to others or of another cluster, is written anew too, as
    the node reads in it where the API server is. An identity that is no good asks for a new file in any case. The node
    asks for an identity when it starts, so restart it when this module reports a change.
  - The token is good for joining only, and Kubernetes deletes it when it expires. It is never shown or returned.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.kube
options:
  path:
    description: The file.
    type: path
    required: true
  identity:
    description:
      - Kubeconfig that the node writes when it has joined. Without it, the node has none yet, as one on another machine
        that has been asked.
    type: path
  token_seconds:
    description: How long a new token lasts, in seconds.
    type: int
    default: 3600
  description:
    description: What the token is for, as C(kubeadm token list) shows it.
    type: str
    default: Lets a node of an edgelab.akri lab join
  state:
    description: Whether the node can join, or the file is gone.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Everything is looked at, nothing is written.
    support: full
  diff_mode:
    description: Says why a token is made; never the token.
    support: full
  idempotent:
    description: Nothing is changed while the identity is valid or, where there is none yet, the token is.
    support: full
requirements:
  - cryptography
"""

EXAMPLES = r"""
- name: Let the Wasm node join
  edgelab.akri.bootstrap_kubeconfig:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    path: "{{ lab_paths.kubeconfigs }}/node-bootstrap"
    identity: "{{ lab_paths.kubeconfigs }}/node"
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /home/me/.local/state/edgelab/default/kubeconfigs/node-bootstrap
reason:
  description: Why a token was made, empty when none was needed.
  returned: when O(state=present) and there was a cluster to ask
  type: str
  sample: its token has expired
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._bootstrap_kubeconfig import Wanted, ensure, remove
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, run

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "path": {"type": "path", "required": True},
    "identity": {"type": "path"},
    "token_seconds": {"type": "int", "default": 3600, "no_log": False},
    "description": {"type": "str", "default": "Lets a node of an edgelab.akri lab join"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given, dry_run = module.params, module.check_mode
    path = Path(given["path"])
    if given["state"] == "absent":
        module.exit_json(**remove(path, dry_run=dry_run))
    wanted = Wanted(
        path, Path(given["identity"]) if given["identity"] else None, given["token_seconds"], given["description"]
    )
    run(
        module,
        lambda cluster: ensure(cluster, wanted, now=datetime.now(UTC), dry_run=dry_run),
        would={"path": str(path)},
    )


if __name__ == "__main__":
    main()
