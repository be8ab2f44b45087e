# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
"""Show what the module `dashboard_token` got to the person at the terminal, and to nobody else.

Ansible's own output goes to callbacks and log files, so the terminal is written to directly: that of the process
`ansible-playbook`, since workers have none. Refused where there is none, and in CI.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase


def terminal(environment: Mapping[str, str], process: int) -> Path:
    """The terminal that a process writes to. Raises ValueError where there is none that a person looks at."""
    if environment.get("CI"):
        raise ValueError("This is CI, whose output others can read")
    output = Path(f"/proc/{process}/fd/1")
    with output.open("wb", buffering=0) as file:
        if not file.isatty():
            raise ValueError("The output of ansible-playbook is no terminal, but perhaps a file that stays")
    return output


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible tells no types
    """The action `dashboard_token`."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Refuse, or ask and show; returns the module's result without the token."""
        super().run(tmp, task_vars)
        if self._task.check_mode:
            return {"changed": False}
        try:
            shown = terminal(os.environ, os.getppid())
        except ValueError as error:
            words = f"No token was made: nobody would see it. {error}. Get one by: {self._by_hand()}"
            return {"failed": True, "msg": words}
        result: dict[str, Any] = self._execute_module(task_vars=task_vars)
        token = result.pop("token", None)
        if token:
            shown.write_text(f"\nToken, until {result['expires']}:\n{token}\n\n", encoding="ascii")
        return result

    def _by_hand(self) -> str:
        given = self._task.args
        account = f"--namespace {given['namespace']} create token {given['service_account']}"
        return f"kubectl --kubeconfig {given['kubeconfig']} {account}"
