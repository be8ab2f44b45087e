# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
"""What the modules for Google Compute Engine have in common. Options twin: plugins/module_utils/_gce_module.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Options and requirements of modules that talk to Compute Engine."""

    DOCUMENTATION = r"""
requirements:
  - google-cloud-compute
options:
  project:
    description:
      - The project. Without it, the one that the credentials name.
    type: str
  credentials_file:
    description:
      - File with credentials of any of Google's kinds, such as a service account's key or the configuration of a
        workload identity. Without it, Google's client looks where it always does (Application Default Credentials).
    type: path
  api_endpoint:
    description:
      - URL of the Compute API where it is not reached under its own name, as with Private Service Connect.
    type: str
  os_login_endpoint:
    description:
      - URL of the OS Login API where it is not reached under its own name.
    type: str
"""
