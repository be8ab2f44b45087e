# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the options that say which OCI registry there is and how it knows us."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that push to a registry."""

    DOCUMENTATION = r"""
options:
  ca_path:
    description:
      - CA certificates that vouch for the registry. The system's when it is left out.
      - When the file does not exist there is no registry yet.
    type: path
  client_certificate:
    description: Certificate that the registry asks of its clients.
    type: path
  client_key:
    description: Key of O(client_certificate).
    type: path
"""
