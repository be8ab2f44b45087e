"""Taking what roles made out of a Kind cluster that stays for the next tests."""

import json
from typing import Any

import yaml
from labkit import Lab


def undo(lab: Lab, *roles: str, **variables: Any) -> None:
    """Run the absent of roles, in the order given; variables: those of the lab that differ."""
    steps = [(role, "main") for role in ("lab", "edgelab_runtime", "kind_host", "registry")]
    steps += [(role, "absent") for role in roles]
    tasks = [{"ansible.builtin.include_role": {"name": f"edgelab.akri.{role}", "tasks_from": at}} for role, at in steps]
    playbook = lab.home / "undo.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    given = {**lab.variables, "lab_name": lab.name, **variables}
    lab.run(["ansible-playbook", str(playbook), "-e", json.dumps(given)])
