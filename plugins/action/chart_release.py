# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
"""Run the module `chart_release`, which looks and decides, and have kubernetes.core.helm carry out its plan."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

_CARRIES_OUT = "kubernetes.core.helm"


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible tells no types
    """The action `chart_release`."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module and its plan; returns what the module returns, or how kubernetes.core.helm failed."""
        super().run(tmp, task_vars)
        result: dict[str, Any] = self._execute_module(task_vars=task_vars)
        steps = result.pop("plan", [])
        if self._task.check_mode:
            return result
        for step in steps:
            done = self._execute_module(
                module_name=_CARRIES_OUT, module_args=self._arguments(step), task_vars=task_vars
            )
            if done.get("failed"):
                return {**done, "msg": f"{_CARRIES_OUT} could not make the release as wanted: {done.get('msg', '')}"}
        return result

    def _arguments(self, step: dict[str, Any]) -> dict[str, Any]:
        given = self._task.args
        cluster = {name: given[name] for name in ("kubeconfig", "context") if given.get(name)}
        return {**step, **cluster, "binary_path": given["adapter"]}
