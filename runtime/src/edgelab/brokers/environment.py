"""The device that a broker was given, as its Pod's environment tells it."""

from collections.abc import Mapping

from edgelab.core.errors import LabError


def given_property(environment: Mapping[str, str], *properties: str) -> tuple[str, str, str]:
    """The first of these properties that a device here has: the property, its variable and its value.

    Agents of Akri 0.13 put the Instance's hash behind a property's name; older ones give the name alone, which wins.
    Raises LabError when there is none.
    """
    for name in properties:
        for variable in sorted(environment):
            if variable == name or variable.startswith(f"{name}_"):
                return name, variable, environment[variable]
    raise LabError(
        attempted="Find the device that this broker was given",
        seen=f"Its environment has no {' and no '.join(properties)}",
        cause="The Pod asks for no device, or for one of another kind",
        remedy='Ask for "{{PLACEHOLDER}}" in the resources of the Configuration\'s broker',
    )
