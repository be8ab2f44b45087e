#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A program out of an OCI image is in the cache: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_file
short_description: Have a program at hand that comes in an image
version_added: 0.1.0
description:
  - Takes one file out of an image in a registry, without a container engine, and puts it into the cache of programs.
  - The image is named by its digest; whatever the registry serves is compared with it.
author: The edgelab.akri authors (!UNKNOWN)
requirements:
  - python-dxf
options:
  image:
    description: C(HOST/REPOSITORY@sha256:DIGEST). Of an image for several architectures, that of the machine is used.
    type: str
    required: true
  path:
    description: The file's path in the image.
    type: path
    required: true
  name:
    description: Name of the program in the cache.
    type: str
    required: true
  directory:
    description: The cache, as that of M(edgelab.akri.binary).
    type: path
    required: true
  ca_path:
    description: CA certificates that vouch for the registry, where the system's do not.
    type: path
  client_certificate:
    description: Certificate for a registry that asks for one.
    type: path
  client_key:
    description: Key of O(client_certificate).
    type: path
attributes:
  check_mode:
    description: Nothing is fetched.
    support: full
  diff_mode:
    description: Names the program.
    support: full
  idempotent:
    description: Nothing is changed when the program is in the cache and sound.
    support: full
"""

EXAMPLES = r"""
- name: Have Akri's agent at hand
  edgelab.akri.image_file:
    image: ghcr.io/project-akri/akri/agent@sha256:{{ digest }}
    path: /agent
    name: akri-agent
    directory: "{{ lab_paths.cache }}/bin"
"""

RETURN = r"""
path:
  description: Where the program is.
  returned: success
  type: str
  sample: /home/me/.cache/edgelab/bin/akri-agent-0f5b2a6cb0d1-linux-amd64/akri-agent
"""

import platform
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import architecture_of
from ansible_collections.edgelab.akri.plugins.module_utils._image_file import Image, Wanted, provide
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import MISSING, Address

SPEC = {
    "image": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "name": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "ca_path": {"type": "path"},
    "client_certificate": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=SPEC, supports_check_mode=True, required_together=[("client_certificate", "client_key")]
    )
    given = module.params
    if MISSING:
        module.fail_json(msg=missing_required_lib("python-dxf"), exception=str(MISSING))

    def work() -> dict[str, Any]:
        image = Image.parse(given["image"])
        wanted = Wanted(given["name"], image, given["path"], architecture_of(platform.machine()))
        client = (Path(given["client_certificate"]), Path(given["client_key"])) if given["client_key"] else None
        address = Address(image.host, Path(given["ca_path"]) if given["ca_path"] else None, client)
        return provide(wanted, Path(given["directory"]), address, dry_run=module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
