#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A container image is where a cluster gets it from: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_image
short_description: Build a container image and put it where a cluster gets it from
version_added: 0.2.0
description:
  - Builds an image with podman, buildah or docker and pushes it to a registry, or loads it into the nodes of a cluster.
  - The tag is a digest of everything that goes into the image; it is a label of the image, too. When the tag is there,
    nothing is built.
  - Nothing is fetched and nothing is run while the C(Containerfile) is built. What the image needs from outside is put
    beside it before. The C(Containerfile) gets the base as the build argument C(BASE_IMAGE).
  - The engine's own store is left as it was; the finished archive stays in O(cache) for other labs. Builds of one user
    take turns, whatever their caches.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.registry
requirements:
  - podman, buildah, or docker 25 or newer
  - mmdebstrap, when O(base) is not given
  - python-dxf
  - pip, when O(requirements) is given
options:
  repository:
    description: Repository of the image.
    type: str
    required: true
  containerfile:
    description: Text of the C(Containerfile).
    type: str
    required: true
  files:
    description: Texts of files that are put beside the C(Containerfile), by their names.
    type: dict
    default: {}
  copies:
    description: Files and directories that are put beside the C(Containerfile), by their names there.
    type: dict
    default: {}
  requirements:
    description:
      - Text of a lock file of Python packages with hashes. They are installed for the base's Python into
        C(site-packages) beside the C(Containerfile).
    type: str
    default: ""
  base:
    description: Image to build on, pulled by the engine.
    type: str
  base_python:
    description: Version of the Python in O(base), MAJOR.MINOR. Required with O(base).
    type: str
  debian:
    description: What the base is made of when O(base) is not given.
    type: dict
    suboptions:
      containerfile:
        description: Text of the base's C(Containerfile); the file system is put beside it as C(rootfs.tar).
        type: str
        required: true
      packages:
        description: Names of Debian or Ubuntu packages, beyond the essential ones.
        type: list
        elements: str
        required: true
      suite:
        description: Release that the packages are of. By default that of the machine.
        type: str
  engine:
    description: What builds the image. V(auto) takes the first of the others that there is.
    type: str
    choices: [auto, podman, buildah, docker]
    default: auto
  registry:
    description: Address of the registry to push to, C(HOST:PORT).
    type: str
  load:
    description: Instead of pushing, run this command with the path of the image's archive as its last argument.
    type: list
    elements: str
  names:
    description: Command that prints the names of the images that were loaded. Required with O(load).
    type: list
    elements: str
  cache:
    description: Directory that keeps archives of images and bases.
    type: path
    required: true
attributes:
  check_mode:
    description:
      - Asks whether the image is there, and builds nothing. When the file O(ca_path) is not there yet, there is no
        registry yet. When the registry does not answer, the module warns and reports no change.
    support: full
  diff_mode:
    description: The image's name with its tag.
    support: full
  idempotent:
    description: Nothing is built whose tag is there.
    support: full
"""

EXAMPLES = r"""
- name: Have an image of the broker in the lab's registry
  edgelab.akri.container_image:
    repository: edgelab-broker
    containerfile: "{{ lookup('ansible.builtin.file', 'containers/broker/Containerfile') }}"
    files:
      broker.sh: "{{ lookup('ansible.builtin.file', 'containers/broker/broker.sh') }}"
    debian:
      containerfile: "{{ lookup('ansible.builtin.file', 'containers/base/Containerfile') }}"
      packages: [python3]
    registry: "{{ registry_address }}"
    ca_path: "{{ registry_ca }}"
    cache: "{{ lab_paths.cache }}/images"
  register: __broker

- name: Load it into a cluster of Kind
  edgelab.akri.container_image:
    repository: edgelab-broker
    containerfile: "{{ lookup('ansible.builtin.file', 'containers/broker/Containerfile') }}"
    files:
      broker.sh: "{{ lookup('ansible.builtin.file', 'containers/broker/broker.sh') }}"
    base: registry.example.com/debian:13-slim
    base_python: "3.13"
    load: [kind, load, image-archive, --name, edgelab]
    names: [docker, exec, edgelab-control-plane, ctr, --namespace, k8s.io, images, ls, -q]
    cache: "{{ lab_paths.cache }}/images"
"""

RETURN = r"""
image:
  description:
    - What a Pod names as its image. By digest, when it is in a registry; in check mode without, when it is not there.
  returned: success
  type: str
  sample: 10.0.0.1:20005/broker:5b1f3a0c9d2e4f76@sha256:b0d1a4bd40ee4f1b1e3a59b5a2b5b3c39f3bb4d7e0a2d6a1e6a0e0c7d5b7a9c1
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._container_build import archive_of
from ansible_collections.edgelab.akri.plugins.module_utils._container_engine import ENGINES
from ansible_collections.edgelab.akri.plugins.module_utils._container_image import (
    InRegistry,
    OnNodes,
    Place,
    ensure,
)
from ansible_collections.edgelab.akri.plugins.module_utils._container_recipe import Recipe
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import lacking, run
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import MISSING, Address

DEBIAN = {
    "containerfile": {"type": "str", "required": True},
    "packages": {"type": "list", "elements": "str", "required": True},
    "suite": {"type": "str"},
}
SPEC = {
    "repository": {"type": "str", "required": True},
    "containerfile": {"type": "str", "required": True},
    "files": {"type": "dict", "default": {}},
    "copies": {"type": "dict", "default": {}},
    "requirements": {"type": "str", "default": ""},
    "base": {"type": "str"},
    "base_python": {"type": "str"},
    "debian": {"type": "dict", "options": DEBIAN},
    "engine": {"type": "str", "choices": ["auto", *ENGINES], "default": "auto"},
    "registry": {"type": "str"},
    "ca_path": {"type": "path"},
    "client_certificate": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "load": {"type": "list", "elements": "str"},
    "names": {"type": "list", "elements": "str"},
    "cache": {"type": "path", "required": True},
}


def place_of(given: dict[str, Any], recipe: Recipe) -> Place:
    """Where the image is to be."""
    if given["load"]:
        return OnNodes(recipe.image, given["load"], given["names"])
    ca_path = Path(given["ca_path"]) if given["ca_path"] else None
    client = given["client_certificate"] and (Path(given["client_certificate"]), Path(given["client_key"]))
    return InRegistry(Address(given["registry"], ca_path, client or None), recipe.repository, recipe.digest)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        mutually_exclusive=[("registry", "load")],
        required_one_of=[("registry", "load"), ("base", "debian")],
        required_together=[("load", "names"), ("client_certificate", "client_key")],
        required_by={"base": ["base_python"]},
    )
    given = module.params

    def work() -> dict[str, Any]:
        recipe = Recipe.from_params(given)
        place = place_of(given, recipe)
        if MISSING:
            lacking(module, "python-dxf", image=place.image)

        def build() -> Path:
            return archive_of(recipe, given["engine"], Path(given["cache"]))

        return ensure(place, build, dry_run=module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
