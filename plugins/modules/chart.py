#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A Helm chart is at hand and reads the values that are meant for it: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: chart
short_description: Have a Helm chart at hand that reads the given values
version_added: 0.1.0
description:
  - Has Helm pull the archive of a chart once and keeps it in a cache, by its sha256.
  - Without O(sha256), the first archive that comes is trusted, with a warning, and its digest recorded; a different one
    for the same version is refused later.
  - Refuses values that no template of the chart reads, which Helm would ignore, and names what took their place or the
    nearest name.
author: The edgelab.akri authors (!UNKNOWN)
options:
  chart:
    description: An archive on the target, its URL, an OCI reference, or a name in O(repository).
    type: str
    required: true
  repository:
    description: URL of the repository that has the chart.
    type: str
  version:
    description: Version of the chart. Needed where the source has several.
    type: str
  sha256:
    description: Digest of the archive, as in the publisher's index.yaml.
    type: str
  ca_path:
    description: CA certificates that vouch for the repository or registry, where the system's do not.
    type: path
  helm:
    description: The program Helm.
    type: path
    required: true
  directory:
    description: The cache.
    type: path
    required: true
  records:
    description: File in which the digests of charts without O(sha256) are recorded.
    type: path
    required: true
  values:
    description: Values that the chart is meant to be installed with.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Nothing is fetched. Values for a chart that is not at hand cannot be checked then.
    support: full
  diff_mode:
    description: Names the chart.
    support: full
  idempotent:
    description: Nothing is changed when the archive is at hand.
    support: full
"""

EXAMPLES = r"""
- name: Have Akri's chart at hand
  edgelab.akri.chart:
    chart: akri
    repository: https://project-akri.github.io/akri
    version: 0.13.8
    helm: "{{ binaries_paths.helm }}"
    directory: "{{ lab_paths.cache }}/charts"
    records: "{{ lab_paths.state }}/charts.json"
    values:
      udev:
        discovery: {enabled: true}
"""

RETURN = r"""
path:
  description: The archive. Empty in check mode when it is not at hand.
  returned: success
  type: str
  sample: /home/me/.cache/edgelab/charts/7e0143157338f7753d9b5b882efc0edc5f43e4d5483604b8544c05008f35afba.tgz
name:
  description: Name of the chart.
  returned: when it is at hand
  type: str
  sample: akri
version:
  description: Version of the chart.
  returned: when it is at hand
  type: str
  sample: 0.13.8
crds:
  description: The CustomResourceDefinitions that stand in the chart's directory C(crds), which Helm never upgrades.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.edgelab.akri.plugins.module_utils._chart_archive import MISSING, Shelf, Source, present
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run

SOURCE = {
    "chart": {"type": "str", "required": True},
    "repository": {"type": "str"},
    "version": {"type": "str"},
    "sha256": {"type": "str"},
    "ca_path": {"type": "path"},
}
SPEC = {
    **SOURCE,
    "helm": {"type": "path", "required": True},
    "directory": {"type": "path", "required": True},
    "records": {"type": "path", "required": True},
    "values": {"type": "dict", "default": {}},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(MISSING[0]), missing=MISSING)
    given = module.params

    def work() -> dict[str, Any]:
        shelf = Shelf(Path(given["directory"]), Path(given["records"]), given["helm"])
        source = Source(**{name: given[name] for name in SOURCE})
        result = present(shelf, source, given["values"], dry_run=module.check_mode)
        if trusted := result.pop("trusted", ""):
            module.warn(trusted)
        return result

    run(module, work)


if __name__ == "__main__":
    main()
