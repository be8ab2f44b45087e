"""What each role comes with.

Galaxy wants a README in each; it says no more than the argument_specs, and where to look.
"""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/tasks/main.yml"))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_readme_agrees_with_the_specs(role: Path) -> None:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    title, summary, rest = (role / "README.md").read_text().split("\n\n", 2)
    assert title == f"# edgelab.akri.{role.name}"
    assert summary == f"{specs['main']['short_description']}."
    assert f"`ansible-doc --type role edgelab.akri.{role.name}`" in rest


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_default_is_described_and_every_description_true(role: Path) -> None:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    described = {name: option for entry in specs.values() for name, option in entry.get("options", {}).items()}
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text()) or {}
    assert set(defaults) <= set(described)
    told = {name: option["default"] for name, option in described.items() if "default" in option}
    templated = {name for name, value in defaults.items() if "{{" in str(value)}
    assert told == {name: value for name, value in defaults.items() if name in told}, (
        "a default told is the one there is"
    )
    assert set(defaults) - templated <= set(told), "a fixed default is told"
