"""`edgelab handler new`: names, and what is written where."""

import re
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from edgelab.core.errors import LabError
from edgelab.discovery.scaffold import make_project, render
from flit_core.wheel import make_wheel_in


@pytest.mark.parametrize(
    ("name", "module", "variable", "dashed"),
    [
        ("greenhouse", "greenhouse", "GREENHOUSE", "greenhouse"),
        ("greenHouse", "green_house", "GREEN_HOUSE", "green-house"),
        ("green-house2", "green_house2", "GREEN_HOUSE2", "green-house2"),
        ("aURL", "a_u_r_l", "A_U_R_L", "a-u-r-l"),
    ],
)
def test_a_name_is_spelt_as_each_place_wants_it(name: str, module: str, variable: str, dashed: str) -> None:
    files = render(name)
    code = files[f"{module}_handler.py"]
    assert f'@handler("{name}", shared=False)' in code
    assert f"{variable}_FILE" in code
    assert yaml.safe_load(files["configuration.yaml"])["metadata"]["name"] == f"akri-{dashed}"
    assert yaml.safe_load(files["configuration.yaml"])["spec"]["discoveryHandler"]["name"] == name


def test_nothing_is_left_to_fill_in() -> None:
    files = render("greenhouse")
    for file, content in files.items():
        assert "@" not in content.replace("@handler(", "").replace("@dataclass(", "").replace("@pytest.mark", ""), file


def test_the_configuration_asks_for_what_the_details_say() -> None:
    files = render("greenhouse")
    handler = yaml.safe_load(files["configuration.yaml"])["spec"]["discoveryHandler"]
    assert yaml.safe_load(handler["discoveryDetails"]) == yaml.safe_load(files["details.yaml"])


def test_the_brokers_of_the_configuration_are_there_once_they_are_no_comment() -> None:
    text = render("greenhouse")["configuration.yaml"]
    assert "brokerSpec" not in yaml.safe_load(text)["spec"]
    head, broker = re.split("(?m)^(?=  # brokerSpec:)", text)
    spec = yaml.safe_load(head + re.sub("(?m)^  # ", "  ", broker))["spec"]["brokerSpec"]["brokerPodSpec"]
    assert spec["containers"][0]["resources"] == {"limits": {"{{PLACEHOLDER}}": "1"}}
    assert spec["nodeSelector"] == {"kubernetes.io/arch": "wasm32-wasi"}


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../a", "1a", "Green", "a_b", "-a", "a-", "a--b", "ä", "a" * 41])
def test_a_bad_name_is_refused_and_nothing_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabError, match="such as greenhouse, greenHouse or green-house"):
        make_project(name, tmp_path / "project")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is there already"):
        make_project("greenhouse", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="Not a directory"):
        make_project("greenhouse", tmp_path / "file" / "project")


def test_templates_are_in_the_wheel(tmp_path: Path) -> None:
    name = make_wheel_in(Path(__file__).parents[3] / "pyproject.toml", tmp_path).file.name
    packed = {Path(member).name for member in zipfile.ZipFile(tmp_path / name).namelist() if "/templates/" in member}
    there = {path.name for path in (files("edgelab.discovery") / "templates").iterdir()}
    assert packed == there
