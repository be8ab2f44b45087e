# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The frame of a module for Compute Engine: its options, who is asking, and its main().

Options twin: plugins/doc_fragments/gce.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.edgelab.akri.plugins.module_utils import _lab_module, _ssh
from ansible_collections.edgelab.akri.plugins.module_utils._gce_client import MISSING, Compute, credentials_for
from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import LabError
from ansible_collections.edgelab.akri.plugins.module_utils._gce_oslogin import OsLogin

GCE_SPEC: dict[str, Any] = {
    "project": {"type": "str"},
    "credentials_file": {"type": "path"},
    "api_endpoint": {"type": "str"},
    "os_login_endpoint": {"type": "str"},
}


def run(module: AnsibleModule, work: Callable[[Compute, OsLogin], dict[str, Any]]) -> None:
    """Exit with what work returns, or fail with the text of its LabError."""
    if MISSING:
        module.fail_json(msg=missing_required_lib("google-cloud-compute"), exception=str(MISSING))
    if _ssh.MISSING:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=str(_ssh.MISSING))
    _lab_module.run(module, lambda: work(*connect(module.params)))


def connect(params: dict[str, Any]) -> tuple[Compute, OsLogin]:
    """Compute Engine and OS Login as the credentials see them. Raises LabError without credentials or project."""
    credentials, named = credentials_for(params["credentials_file"])
    project = params["project"] or named
    if not project:
        raise LabError(
            "Choose a project of Google Cloud",
            "None was given, and the credentials name none",
            remedy="Set the project (gce_host_project)",
        )
    compute = Compute(project, credentials, params["api_endpoint"])
    return compute, OsLogin(credentials, params["os_login_endpoint"])
