#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""containerd knows how to reach a registry: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: containerd_registry
short_description: Let containerd reach a registry
version_added: 0.1.0
description:
  - Writes what containerd reads about one registry (C(hosts.toml) and the certificates it names) into the directory
    that its C(config_path) names. containerd reads it at each pull; nothing has to be restarted.
  - The files name each other relatively, so the directory may be mounted elsewhere, as into the nodes of Kind.
  - The directory of the registry belongs to this module; other files in it are removed.
author: The edgelab.akri authors (!UNKNOWN)
options:
  directory:
    description: The directory that containerd's C(config_path) names.
    type: path
    required: true
  registry:
    description: Address of the registry, C(HOST:PORT).
    type: str
    required: true
  ca_path:
    description: CA certificates that vouch for the registry. Required when O(state=present).
    type: path
  client_certificate:
    description: Certificate that the registry asks of its clients.
    type: path
  client_key:
    description: Key of O(client_certificate). Its copy is readable for its owner alone.
    type: path
  state:
    description: V(absent) removes the directory of the registry.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: A certificate that is not there yet would be put in place.
    support: full
  diff_mode:
    description: Names the files, without their content.
    support: full
  idempotent:
    description: Nothing is written that is there already.
    support: full
"""

EXAMPLES = r"""
- name: Let the nodes pull from the lab's registry
  edgelab.akri.containerd_registry:
    directory: "{{ lab_cluster_facts.registry_hosts }}"
    registry: "{{ registry_address }}"
    ca_path: "{{ registry_ca }}"
    client_certificate: "{{ registry_client.certificate }}"
    client_key: "{{ registry_client.key }}"
"""

RETURN = r"""
path:
  description: The directory of the registry.
  returned: success
  type: str
  sample: /home/me/.local/state/edgelab/kind/kind/certs.d/10.89.0.1:20005
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._containerd_registry import (
    Certificates,
    apply,
    plan_absent,
    plan_present,
    result,
)
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run

SPEC = {
    "directory": {"type": "path", "required": True},
    "registry": {"type": "str", "required": True},
    "ca_path": {"type": "path"},
    "client_certificate": {"type": "path"},
    "client_key": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=SPEC,
        required_together=[("client_certificate", "client_key")],
        required_if=[("state", "present", ["ca_path"])],
        supports_check_mode=True,
    )
    given = module.params

    def path(option: str) -> Path | None:
        return Path(given[option]) if given[option] else None

    def work() -> dict[str, Any]:
        directory, registry = Path(given["directory"]), given["registry"]
        if given["state"] == "absent":
            plan = plan_absent(directory, registry)
        else:
            certificates = Certificates(Path(given["ca_path"]), path("client_certificate"), path("client_key"))
            plan = plan_present(directory, registry, certificates, dry_run=module.check_mode)
        if not module.check_mode:
            apply(plan)
        return result(plan)

    run(module, work)


if __name__ == "__main__":
    main()
