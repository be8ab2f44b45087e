# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
"""Bring the collection's files to the machine, if it is another one than the controller and has not got them yet."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.edgelab.akri.plugins.plugin_utils._collection_files import ROOT, WheelError, digest, pack

MODULE = "edgelab.akri.collection_files"
NO_PYTHON = (
    "Run a module on the machine. There is no Python that Ansible can use. Its modules and the lab's runtime need one: "
    "install it (Debian, Ubuntu: apt-get install python3 python3-venv), then run this again."
)


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible tells no types
    """The action `collection_files`."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module, twice where the files are not there yet; returns what it returns."""
        super().run(tmp, task_vars)
        if self._connection.transport == "local":
            return {"changed": False, "directory": str(ROOT), "python": None}
        wanted = digest()
        result = self._module({"digest": wanted}, task_vars)
        if result.get("present") is False:
            result = self._module({"digest": wanted, "archive": self._brought()}, task_vars)
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _module(self, arguments: dict[str, str], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(MODULE, module_args=arguments, task_vars=task_vars)
        if result.get("rc") == 127:
            raise AnsibleActionFail(NO_PYTHON)
        return result

    def _brought(self) -> str:
        self._make_tmp_path()
        there: str = self._connection._shell.join_path(self._connection._shell.tmpdir, "files.tar.gz")
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch, "files.tar.gz")
            try:
                pack(archive)
            except WheelError as error:
                raise AnsibleActionFail(str(error)) from error
            self._transfer_file(str(archive), there)
        self._fixup_perms2([self._connection._shell.tmpdir, there])
        return there
