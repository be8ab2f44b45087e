#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Wasm modules are in an OCI registry: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wasm_artifact
short_description: Keep Wasm modules in an OCI registry
version_added: 0.1.0
description:
  - Pushes Wasm modules into an OCI registry, each under a repository and a tag, so that Pods of a Wasm node can use
    them as images.
  - The manifest has no times in it. A module's digest follows from its bytes and its format alone, and is returned in
    check mode too.
  - A tag is moved when everything that it leads to is in the registry.
  - The registry is used by HTTPS, with a client certificate where it asks for one.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.registry
requirements:
  - python-dxf
options:
  registry:
    description: Address of the registry, C(HOST:PORT).
    type: str
    required: true
  artifacts:
    description: The modules. Several in one call save time.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The C(.wasm) file, a core module. Required when O(state=present).
        type: path
      repository:
        description: Repository in the registry.
        type: str
        required: true
      tag:
        description: Tag in the repository.
        type: str
        default: latest
      format:
        description:
          - V(krustlet) is what wasm-to-oci pushes and Krustlet pulls.
          - V(oci) is the CNCF's Wasm OCI artifact format, which Krustlet refuses.
        type: str
        choices: [krustlet, oci]
        default: krustlet
  state:
    description:
      - V(present) pushes what is missing, V(absent) removes the tags.
      - The registry must allow deletion for V(absent). What a tag led to stays until the registry collects its garbage.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description:
      - Asks the registry and pushes nothing. When the file O(ca_path) is not there yet, there is no registry yet, and
        everything would be pushed. When the registry does not answer, the module warns and reports no change.
    support: full
  diff_mode:
    description: Each tag with the digest it leads to.
    support: full
  idempotent:
    description: Nothing is pushed that the registry has by its digest.
    support: full
"""

EXAMPLES = r"""
- name: Push the discovery handler and the broker
  edgelab.akri.wasm_artifact:
    registry: "{{ registry_address }}"
    ca_path: "{{ registry_ca }}"
    artifacts:
      - path: wasm/debug_echo.wasm
        repository: wasi-debug-echo
        tag: v1
      - path: wasm/hello.wasm
        repository: wasi-debug-echo-hello-world
        tag: v1
  register: __pushed

- name: Show what a Pod names as its image
  ansible.builtin.debug:
    msg: "{{ __pushed.artifacts[0].image }}"

- name: Remove a tag
  edgelab.akri.wasm_artifact:
    registry: "{{ registry_address }}"
    ca_path: "{{ registry_ca }}"
    artifacts:
      - repository: wasi-debug-echo
        tag: v1
    state: absent
"""

RETURN = r"""
artifacts:
  description:
    - What is in the registry, in the order of O(artifacts).
    - C(digest) and C(image) are there when O(state=present).
  returned: success
  type: list
  elements: dict
  sample:
    - repository: wasi-debug-echo
      tag: v1
      digest: sha256:b0d1a4bd40ee4f1b1e3a59b5a2b5b3c39f3bb4d7e0a2d6a1e6a0e0c7d5b7a9c1
      image: 127.0.0.1:20005/wasi-debug-echo:v1@sha256:b0d1a4bd40ee4f1b1e3a59b5a2b5b3c39f3bb4d7e0a2d6a1e6a0e0c7d5b7a9c1
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import lacking, run
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_artifact import (
    Artifact,
    krustlet_artifact,
    oci_artifact,
    read_module,
)
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import MISSING, Address, ensure

FORMATS = {"krustlet": krustlet_artifact, "oci": oci_artifact}

ARTIFACT = {
    "path": {"type": "path"},
    "repository": {"type": "str", "required": True},
    "tag": {"type": "str", "default": "latest"},
    "format": {"type": "str", "choices": ["krustlet", "oci"], "default": "krustlet"},
}
PATHS = ("ca_path", "client_certificate", "client_key")
SPEC = {
    "registry": {"type": "str", "required": True},
    "ca_path": {"type": "path"},
    "client_certificate": {"type": "path"},
    "client_key": {"type": "path"},
    "artifacts": {"type": "list", "elements": "dict", "required": True, "options": ARTIFACT},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def wanted(given: dict[str, Any], state: str) -> Artifact:
    """One element of `artifacts` as it is to be."""
    if state == "absent":
        return Artifact(given["repository"], given["tag"])
    if not given["path"]:
        raise ValueError(f"artifacts: {given['repository']}:{given['tag']} has no path")
    return FORMATS[given["format"]](given["repository"], given["tag"], read_module(Path(given["path"])))


def address(given: dict[str, Any]) -> Address:
    """How to reach the registry."""
    ca, certificate, key = (Path(path) if path else None for path in map(given.get, PATHS))
    return Address(given["registry"], ca, (certificate, key) if certificate and key else None)


def main() -> None:
    """Run the module."""
    together = [("client_certificate", "client_key")]
    module = AnsibleModule(argument_spec=SPEC, required_together=together, supports_check_mode=True)
    given = module.params
    if MISSING:
        lacking(module, "python-dxf")

    def work() -> dict[str, Any]:
        artifacts = [wanted(each, given["state"]) for each in given["artifacts"]]
        return ensure(address(given), artifacts, dry_run=module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
