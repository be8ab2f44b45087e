#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""The collection's own files are on the machine, and a Python that can work with them: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: collection_files
short_description: Have the collection's own files on the machine that a lab lives on
version_added: 0.2.0
description:
  - What processes and modules read from the collection (the runtime, manifests, Wasm modules, sources of programs) is
    on the controller. On the controller itself nothing is done; to any other machine the files are brought once, into
    the user's cache. Those of other versions, which no playbook has used for a day and no process uses, go.
  - Looks for a Python that the runtime can work with, tells what to install when there is none, and puts one beside the
    files that sees the runtime.
author: The edgelab.akri authors (!UNKNOWN)
options:
  digest:
    description: Digest of the files. The action plugin says it.
    type: str
  archive:
    description: Archive of the files on the machine. The action plugin brings it.
    type: path
attributes:
  check_mode:
    description: Brings the files all the same, since nothing could be looked at without. It does not count as a change,
      no more than that Ansible brings its modules. Nothing is removed.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Files that are there are left as they are.
    support: full
"""

EXAMPLES = r"""
- name: Have the collection's files on the machine
  edgelab.akri.collection_files:
  register: files
"""

RETURN = r"""
directory:
  description: The root of the collection, as processes and modules on the machine see it.
  returned: success
  type: str
  sample: /home/ada/.cache/edgelab/collection/5d0c0a4f2c1d7b3e
present:
  description: Whether the files are there.
  returned: when the machine is not the controller
  type: bool
  sample: true
python:
  description: An interpreter on the machine that modules can work with; null on the controller, which has one.
  returned: success
  type: str
  sample: /home/ada/.cache/edgelab/collection/5d0c0a4f2c1d7b3e/python
"""

import os
import platform
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab_cache import mark_used, prune
from ansible_collections.edgelab.akri.plugins.module_utils._lab_files import (
    directory_of,
    fitting_python,
    no_python,
    unpack,
    write_python,
)

SPEC = {"digest": {"type": "str"}, "archive": {"type": "path"}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    python = fitting_python()
    if not python:
        module.fail_json(msg=no_python(platform.node(), platform.python_version()))
    directory = directory_of(module.params["digest"], {"HOME": str(Path.home()), **os.environ})
    if module.params["archive"] and not directory.is_dir():
        unpack(Path(module.params["archive"]), directory)
    if python and directory.is_dir():
        python = str(write_python(directory, python))
        mark_used(directory)
    if not module.check_mode:
        prune(directory.parent, directory)
    module.exit_json(changed=False, directory=str(directory), present=directory.is_dir(), python=python)


if __name__ == "__main__":
    main()
