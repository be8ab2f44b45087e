"""The environment variables of a container, resolved as kubelets do. Pure.

Later ones win: variables of the kubernetes Service, `envFrom`, `env`, and those of devices. `$(NAME)` in values,
`command` and `args` stands for what is defined before; `$$` for a dollar sign; an unknown name stays as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lightkube.models.core_v1 import Container, EnvFromSource, EnvVarSource, Pod

from edgelab.node.volumes.errors import missing, unusable
from edgelab.node.volumes.fields import NodeFacts, pod_field, resource_field
from edgelab.node.volumes.materials import Content, Materials

_REFERENCE = re.compile(r"\$\$|\$\(([^()]+)\)")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container's variables may refer to, beside the container itself."""

    pod: Pod
    node: NodeFacts
    materials: Materials


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace the references in a text."""

    def replaced(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else variables.get(found[1], found[0])

    return _REFERENCE.sub(replaced, text)


def environment(container: Container, around: Surroundings, services: Mapping[str, str]) -> dict[str, str]:
    """The variables of a container, without those of devices. Raises ConfigError for what is missing."""
    variables = dict(services)
    for source in container.envFrom or ():
        variables |= _all_of(container, source, around.materials)
    for variable in container.env or ():
        if variable.valueFrom:
            value = _one_of(container, variable.valueFrom, around)
        else:
            value = expand(variable.value or "", variables)
        if value is not None:
            variables[variable.name] = value
    return variables


def arguments(container: Container, variables: Mapping[str, str]) -> tuple[str, ...]:
    """What the module gets as its arguments: `command` and `args`; its name is the container's without a command."""
    words = [*(container.command or (container.name,)), *(container.args or ())]
    return tuple(expand(word, variables) for word in words)


def service_variables(host: str, port: int) -> dict[str, str]:
    """The variables that every container has about the kubernetes Service."""
    url = f"tcp://{host}:{port}"
    prefix = f"KUBERNETES_PORT_{port}_TCP"
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
        "KUBERNETES_PORT": url,
        prefix: url,
        f"{prefix}_PROTO": "tcp",
        f"{prefix}_PORT": str(port),
        f"{prefix}_ADDR": host,
    }


def _all_of(container: Container, source: EnvFromSource, materials: Materials) -> dict[str, str]:
    content: Content = {}
    if source.configMapRef:
        content = _content(container, "ConfigMap", source.configMapRef, materials.config_maps)
    elif source.secretRef:
        content = _content(container, "Secret", source.secretRef, materials.secrets)
    return {f"{source.prefix or ''}{key}": _text(container, key, value) for key, value in content.items()}


def _one_of(container: Container, source: EnvVarSource, around: Surroundings) -> str | None:
    if source.fieldRef:
        return pod_field(around.pod, source.fieldRef.fieldPath, around.node)
    if source.resourceFieldRef:
        return resource_field(container, source.resourceFieldRef, around.node)
    if source.configMapKeyRef:
        return _key(container, "ConfigMap", source.configMapKeyRef, around.materials.config_maps)
    if source.secretKeyRef:
        return _key(container, "Secret", source.secretKeyRef, around.materials.secrets)
    raise unusable(container.name, "An environment variable has a source that this node does not know")


def _key(container: Container, kind: str, reference: object, known: Mapping[str, Content | None]) -> str | None:
    key, optional = str(getattr(reference, "key", "")), bool(getattr(reference, "optional", False))
    content = _content(container, kind, reference, known)
    if key in content:
        return _text(container, key, content[key])
    if optional:
        return None
    raise missing(container.name, f'key "{key}" of {kind} "{getattr(reference, "name", "")}"')


def _content(container: Container, kind: str, reference: object, known: Mapping[str, Content | None]) -> Content:
    name = str(getattr(reference, "name", ""))
    content = known.get(name)
    if content is None and not getattr(reference, "optional", False):
        raise missing(container.name, f'{kind} "{name}"')
    return content or {}


def _text(container: Container, key: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise unusable(container.name, f"The value of {key} is not UTF-8 text, as a variable must be") from None
    if "\0" in text:
        raise unusable(container.name, f"The value of {key} has a NUL character, which no variable can have")
    return text
