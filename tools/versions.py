"""The versions that a CI run tries, as the JSON of a matrix.

python tools/versions.py supported           ansible-core and Python, from meta/runtime.yml
python tools/versions.py newest DIRECTORY    the newest Akri, Kubernetes, Kind and MicroK8s that their publishers
                                             have and that are not the pinned ones; DIRECTORY gets a file of
                                             variables for each, named in the matrix
"""

import json
import re
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
# Which Pythons each ansible-core runs with on the controller: docs.ansible.com, "ansible-core support matrix".
PYTHONS = {"2.19": ["3.11", "3.12", "3.13"], "2.20": ["3.12", "3.13", "3.14"], "2.21": ["3.12", "3.13", "3.14"]}
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
SOURCES = {
    "akri": "https://project-akri.github.io/akri/index.yaml",
    "kubernetes": "https://dl.k8s.io/release/stable.txt",
    "kind": "https://api.github.com/repos/kubernetes-sigs/kind/releases/latest",
    "microk8s": "https://api.snapcraft.io/v2/snaps/info/microk8s?fields=version",
}
SECONDS = 60


def main(words: list[str]) -> int:
    """Print a matrix."""
    match words:
        case ["supported"]:
            runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())
            matrix = supported(runtime["requires_ansible"])
        case ["newest", directory]:
            matrix = write(Path(directory), newest({name: fetch(url) for name, url in SOURCES.items()}, pinned()))
        case _:
            sys.exit(f"{__doc__}")
    print(json.dumps(matrix))
    return 0


def supported(requires: str) -> list[dict[str, str]]:
    """Each ansible-core that the collection allows (`>=2.19.0`), with each Python that runs it."""
    oldest = numbers(requires.removeprefix(">="))[:2]
    return [
        {"ansible": core, "python": python}
        for core, pythons in PYTHONS.items()
        if numbers(core) >= oldest
        for python in pythons
    ]


def newest(documents: Mapping[str, str], known: Mapping[str, str]) -> list[dict[str, Any]]:
    """What there is that is not pinned here: component, version, the provider to try it on and its variables."""
    channel = newest_channel(json.loads(documents["microk8s"]))
    kind = json.loads(documents["kind"])["tag_name"]
    kubernetes = documents["kubernetes"].strip()
    akri = newest_chart(yaml.safe_load(documents["akri"]))
    found = [
        trial("akri", akri, "kind", {"akri_implementation": "chart", "akri_chart_version": akri}),
        trial("kubernetes", kubernetes, "local", {"binaries_pins": moved(CONTROL_PLANE, kubernetes)}),
        trial("kind", kind, "kind", {"binaries_pins": moved(("kind",), kind)}),
        trial("microk8s", channel, "microk8s", {"microk8s_host_channel": channel}),
    ]
    return [one for one in found if one["version"] != known[one["component"]]]


def trial(component: str, version: str, provider: str, variables: dict[str, Any]) -> dict[str, Any]:
    """A row of the matrix."""
    return {"component": component, "version": version, "provider": provider, "variables": variables}


def newest_chart(index: Mapping[str, Any]) -> str:
    """The newest release of the chart `akri` in a repository's index."""
    versions = [str(entry["version"]) for entry in index["entries"]["akri"] if "-" not in str(entry["version"])]
    return max(versions, key=numbers)


def newest_channel(info: Mapping[str, Any]) -> str:
    """The stable channel of the newest track that has numbers, such as 1.36/stable."""
    channels = [entry["channel"] for entry in info["channel-map"] if entry["channel"]["risk"] == "stable"]
    tracks = {channel["track"] for channel in channels if re.fullmatch(r"\d+\.\d+", channel["track"])}
    return f"{max(tracks, key=numbers)}/stable"


def moved(programs: tuple[str, ...], version: str) -> dict[str, dict[str, Any]]:
    """What the role binaries pins, at another version: the publisher's checksum files vouch for it."""
    pins = {pin["name"]: pin for pin in pins_of_binaries()}
    return {name: _moved(pins[name], version) for name in programs}


def _moved(pin: Mapping[str, Any], version: str) -> dict[str, Any]:
    addresses = {key: pin[key].replace(pin["version"], version) for key in ("url", "sha256_url")}
    return {"version": version, **addresses, "sha256": {"amd64": "", "arm64": ""}}


def pinned() -> dict[str, str]:
    """The versions that the collection pins."""
    pins = {pin["name"]: pin["version"] for pin in pins_of_binaries()}
    defaults = {
        role: yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text())
        for role in ("akri", "microk8s_host")
    }
    return {
        "akri": str(defaults["akri"]["akri_chart_version"]),
        "kubernetes": pins["kube-apiserver"],
        "kind": pins["kind"],
        "microk8s": defaults["microk8s_host"]["microk8s_host_channel"],
    }


def pins_of_binaries() -> list[dict[str, Any]]:
    """The pins of the role binaries, with the variables in them filled in."""
    variables = yaml.safe_load((ROOT / "roles/binaries/vars/main.yml").read_text())

    def filled(text: str) -> str:
        def value(match: re.Match[str]) -> str:
            name, strip = match[1], match[2]
            found = filled(str(variables[name]))
            return found.removeprefix("v") if strip else found

        return re.sub(r"\{\{\s*(_binaries_\w+)\s*(\.lstrip\('v'\))?\s*\}\}", value, text)

    return [
        {key: filled(val) if isinstance(val, str) else val for key, val in pin.items()}
        for pin in variables["_binaries_pins"]
    ]


def write(directory: Path, found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Put the variables of each row into a file, and name that in the row."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = []
    for one in found:
        path = directory / f"{one['component']}.json"
        path.write_text(json.dumps(one.pop("variables")))
        rows.append({**one, "variables": path.name})
    return rows


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, to compare."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def fetch(url: str) -> str:
    """The text behind a URL."""
    headers = {"Snap-Device-Series": "16", "User-Agent": "edgelab.akri"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        text: str = answer.read().decode()
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
