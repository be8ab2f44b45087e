#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Pinned programs are at hand: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: binary
short_description: Keep pinned programs at hand
version_added: 0.1.0
description:
  - Makes sure of programs of pinned versions, in this order - the path that the user gives, the cache, a download
    whose sha256 is known, a build from pinned Go modules.
  - A cached program is compared with the digest that was recorded when it came; a damaged one is fetched anew. A
    download with a wrong digest is refused and nothing of it is kept. Where nothing can be downloaded, Go builds.
  - Programs with the same O(programs[].source) and O(programs[].ldflags) are built together, which saves minutes.
  - To another machine than the controller, what the controller has in its cache is copied, and nothing downloaded.
  - While a build works on the local machine, its progress is shown every few seconds.
author: The edgelab.akri authors (!UNKNOWN)
options:
  directory:
    description: The cache; holds C(NAME-VERSION-linux-ARCH/NAME) and C(source.json) beside it.
    type: path
    required: true
  architecture:
    description: For which architecture, as Go names it. This machine's by default.
    type: str
    choices: [amd64, arm64]
  programs:
    description: The programs.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the program.
        type: str
        required: true
      version:
        description: The version that is pinned.
        type: str
        required: true
      url:
        description: Where it can be downloaded, as it is or in a C(.tar.gz). C({name}) and C({arch}) are filled in.
        type: str
      sha256:
        description: Digest of what O(programs[].url) serves, by architecture.
        type: dict
        default: {}
      sha256_url:
        description: The publisher's checksum file, asked when O(programs[].sha256) is empty. What it said is
          recorded; if it says something else for the same version later, that is refused.
        type: str
      source:
        description: Directory with the go.mod that pins the program's module. Without it, the program is not built.
        type: path
      package:
        description: The Go package to build. Required with O(programs[].source).
        type: str
      ldflags:
        description: Further flags for Go's linker, such as the version that the program tells.
        type: str
        default: ""
  offered:
    description: Directory on the machine with entries of the controller's cache. The action plugin brings it, with what
      is missing on another machine than the controller and sound there.
    type: path
  given:
    description: Paths of programs that the user has, by name. Each has to be for this architecture and to answer
      C(--version).
    type: dict
    default: {}
attributes:
  check_mode:
    description: Nothing is downloaded or built.
    support: full
  diff_mode:
    description: Names the programs.
    support: full
  idempotent:
    description: Nothing is changed when all programs are at hand and sound.
    support: full
"""

EXAMPLES = r"""
- name: Have etcd at hand
  edgelab.akri.binary:
    directory: "{{ lab_paths.cache }}/bin"
    programs:
      - name: etcd
        version: v3.7.3
        source: controlplane/etcd
        package: go.etcd.io/etcd/server/v3
"""

RETURN = r"""
paths:
  description: Where each program is.
  returned: success
  type: dict
  sample:
    etcd: /home/me/.cache/edgelab/bin/etcd-v3.7.3-linux-amd64/etcd
missing:
  description: Programs that were not at hand, with the names of their places in the cache.
  returned: success
  type: dict
  sample:
    etcd: etcd-v3.7.3-linux-amd64
"""

import platform
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.edgelab.akri.plugins.module_utils._binary import MISSING, Cache, LabError, Program
from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import architecture_of

PROGRAM = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "url": {"type": "str"},
    "sha256": {"type": "dict", "default": {}},
    "sha256_url": {"type": "str"},
    "source": {"type": "path"},
    "package": {"type": "str"},
    "ldflags": {"type": "str", "default": ""},
}
TOGETHER = [("source", "package")]
SPEC = {
    "directory": {"type": "path", "required": True},
    "architecture": {"type": "str", "choices": ["amd64", "arm64"]},
    "programs": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": PROGRAM,
        "required_together": TOGETHER,
    },
    "offered": {"type": "path"},
    "given": {"type": "dict", "default": {}},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(MISSING[0]), missing=MISSING)
    given = module.params["given"]
    try:
        architecture = module.params["architecture"] or architecture_of(platform.machine())
        programs = [Program.from_params(each, architecture, given) for each in module.params["programs"]]
        offered = module.params["offered"]
        cache = Cache(Path(module.params["directory"]), architecture, Path(offered) if offered else None)
        missing = cache.missing(programs)
        if not module.check_mode:
            cache.provide(missing)
    except LabError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**cache.result(programs, missing))


if __name__ == "__main__":
    main()
