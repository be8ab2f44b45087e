# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The frame of a module that works on the lab's own machine: is the runtime there, and errors as people read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    from edgelab.core.errors import LabError
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None


def lacking(module: AnsibleModule, library: str, **would: Any) -> None:
    """Exit because the Python that runs the module lacks a library.

    In check mode an earlier task would have brought it, to a machine where nothing is yet: so the module exits with
    `would`, and changed unless that says otherwise.
    """
    if module.check_mode:
        module.exit_json(**{"changed": True, **would})
    module.fail_json(msg=missing_required_lib(library), missing=[library])


def run(module: AnsibleModule, work: Callable[[], dict[str, Any]]) -> None:
    """Exit with what work returns, its `warnings` told as such, or fail with the text of its LabError."""
    if MISSING:
        module.fail_json(
            msg=missing_required_lib("edgelab", reason="for a lab; the role edgelab.akri.edgelab_runtime provides it"),
            exception=str(MISSING),
        )
    try:
        result = work()
    except LabError as error:
        module.fail_json(msg=str(error))
    except ValueError as error:
        module.fail_json(msg=f"{error}.")
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)
