"""Taking what roles made out of a Kind cluster that stays for the next tests."""

import json

import yaml
from labkit import Lab


def undo(lab: Lab, *roles: str) -> None:
    """Run the absent of roles, in the order given."""
    steps = [(role, "main") for role in ("lab", "edgelab_runtime", "kind_host", "registry")]
    steps += [(role, "absent") for role in roles]
    tasks = [{"ansible.builtin.include_role": {"name": f"edgelab.akri.{role}", "tasks_from": at}} for role, at in steps]
    playbook = lab.home / "undo.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    lab.run(["ansible-playbook", str(playbook), "-e", json.dumps({**lab.variables, "lab_name": lab.name})])
