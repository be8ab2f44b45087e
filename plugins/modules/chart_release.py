#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A release of a Helm chart is as given, or gone: see DOCUMENTATION.

This file looks and decides; the action plugin of the same name has M(kubernetes.core.helm) carry the plan out.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: chart_release
short_description: Keep a release of a Helm chart as given
version_added: 0.1.0
description:
  - Installs, upgrades or uninstalls a release by M(kubernetes.core.helm), and gives the answers which that module does
    not have - what would change in which object, whether another archive has the same version, and what it would do
    where there is no cluster yet.
  - A release that a failed or killed run left half-done is uninstalled and installed anew.
  - CustomResourceDefinitions of the chart's directory C(crds) are left alone; M(edgelab.akri.chart) returns them for
    M(edgelab.akri.manifests).
  - Works with Helm 4, which M(kubernetes.core.helm) of kubernetes.core 6.2 by itself does not.
author: The edgelab.akri authors (!UNKNOWN)
requirements:
  - the collection kubernetes.core 6.2 or newer, where the playbook runs
extends_documentation_fragment: edgelab.akri.kube
options:
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Namespace of the release; made if need be.
    type: str
    required: true
  chart:
    description: Archive of the chart. Required when O(state=present).
    type: path
  values:
    description: Values for the chart.
    type: dict
    default: {}
  helm:
    description: The program Helm.
    type: path
    required: true
  adapter:
    description: Where to keep the small program by which M(kubernetes.core.helm) calls Helm.
    type: path
    required: true
  wait:
    description: Whether to wait until the workloads of the release are ready.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for the workloads, or for the end of what is uninstalled.
    type: int
    default: 300
  state:
    description: Whether the release is there as given, or gone.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Says what it would do.
    support: full
  diff_mode:
    description: The objects of the release before and after; the data of Secrets is hidden.
    support: full
  idempotent:
    description: Nothing is changed when the release is deployed from this archive with these values.
    support: full
"""

EXAMPLES = r"""
- name: Have Akri's release
  edgelab.akri.chart_release:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    name: akri
    namespace: akri
    chart: /home/me/akri-0.13.8.tgz
    values:
      cleanupHook: {enabled: false}
    helm: "{{ binaries_paths.helm }}"
    adapter: "{{ lab_paths.state }}/helm"
"""

RETURN = r"""
status:
  description: What Helm said of the release before; empty without a release, and where there was no cluster to ask.
  returned: success
  type: str
  sample: deployed
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._chart_release import Helm, Wanted, difference, plan
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, Cluster, run

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "chart": {"type": "path"},
    "values": {"type": "dict", "default": {}},
    "helm": {"type": "path", "required": True},
    "adapter": {"type": "path", "required": True},
    "wait": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 300},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True, required_if=[("state", "present", ["chart"])])
    given = module.params
    chart = given["chart"] if given["state"] == "present" else None
    wanted = Wanted(given["name"], given["namespace"], chart, given["values"], given["wait"], given["timeout"])

    would: dict[str, Any] = {"status": "", "plan": []}

    def work(cluster: Cluster) -> dict[str, Any]:
        if module.check_mode and not all(Path(file).is_file() for file in (given["helm"], chart or given["helm"])):
            return {"changed": True, **would}  # earlier tasks would have fetched them
        kubernetes = cluster.request("GET", "/version")["gitVersion"]
        helm = Helm(given["helm"], given["kubeconfig"], given["context"])
        found = helm.find(wanted)
        steps = plan(found, wanted)
        if steps and not module.check_mode:
            helm.adapt(Path(given["adapter"]))
        before, after = (found.manifest if found else "", helm.render(wanted, kubernetes)) if steps else ("", "")
        return {
            "changed": bool(steps),
            "diff": difference(before, after),
            "status": found.status if found else "",
            "plan": steps,
        }

    run(module, work, would=would)


if __name__ == "__main__":
    main()
