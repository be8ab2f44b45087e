# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the attributes of modules that only look."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of modules that change nothing."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""
