# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
"""Run the module `lab` and, on another machine than the controller, tell it which playbook this is."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.edgelab.akri.plugins.module_utils._lab_lock import describe


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible tells no types
    """The action `lab`."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; returns what it returns."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._connection.transport != "local":
            arguments["playbook"] = describe()
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result
