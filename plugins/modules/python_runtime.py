#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""There is a Python that has this collection's runtime: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: python_runtime
short_description: Find or install the Python runtime of a lab
version_added: 0.1.0
description:
  - Uses the Python that runs this module if it has exactly this runtime and everything it needs. Otherwise installs it
    to a virtual environment in the cache, from a lock file with hashes, and uses that.
  - Virtual environments of other versions, which no playbook has used for a day and no process uses, go.
  - pip is used with its own configuration, private indexes and proxies included.
author: The edgelab.akri authors (!UNKNOWN)
options:
  source:
    description: Directory of the runtime's project, with C(pyproject.toml) and C(src/edgelab).
    type: path
    required: true
  requirements:
    description: Lock file with hashes, of all that the runtime and the modules need.
    type: path
    required: true
  distributions:
    description: Distributions that modules need beyond those that the runtime itself requires.
    type: list
    elements: str
    default: []
  cache:
    description: Cache directory of the user, C(lab_paths.cache).
    type: path
    required: true
attributes:
  check_mode:
    description: Nothing is installed; RV(installed) tells whether something would have to be.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: A complete virtual environment is never changed, and goes only when nobody uses it any more.
    support: full
"""

EXAMPLES = r"""
- name: Have the runtime
  edgelab.akri.python_runtime:
    source: "{{ role_path }}/../../runtime"
    requirements: "{{ role_path }}/../../requirements.lock"
    cache: "{{ lab_paths.cache }}"
  register: runtime
"""

RETURN = r"""
python:
  description: The interpreter that has the runtime.
  returned: success
  type: str
  sample: /home/ada/.cache/edgelab/runtime/6c1f0b7d1a8e4b55/bin/python
installed:
  description: Whether the interpreter is there; false only in check mode.
  returned: success
  type: bool
  sample: true
command:
  description: The command C(edgelab), as a list.
  returned: success
  type: list
  elements: str
  sample: [/home/ada/.cache/edgelab/runtime/6c1f0b7d1a8e4b55/bin/python, -I, -m, edgelab]
program:
  description: The same command as people type it, for messages.
  returned: success
  type: str
  sample: /home/ada/.cache/edgelab/runtime/6c1f0b7d1a8e4b55/bin/edgelab
package:
  description: Directory of the package C(edgelab) that the interpreter uses, for C(restart_on).
  returned: success
  type: str
  sample: /home/ada/.cache/edgelab/runtime/6c1f0b7d1a8e4b55/lib/python3.11/site-packages/edgelab
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run
from ansible_collections.edgelab.akri.plugins.module_utils._lab_runtime import Wanted, present

SPEC = {
    "source": {"type": "path", "required": True},
    "requirements": {"type": "path", "required": True},
    "distributions": {"type": "list", "elements": "str", "default": []},
    "cache": {"type": "path", "required": True},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given = module.params

    def work() -> dict[str, Any]:
        wanted = Wanted(Path(given["source"]), Path(given["requirements"]), tuple(given["distributions"]))
        return present(wanted, Path(given["cache"]), dry_run=module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
