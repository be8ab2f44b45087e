"""The live page of cameras as a person sees it in a browser: its pictures, its words."""

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from browser import Driver, shown
from edgelab.lab.cameras.stamp import read_stamp
from labkit import eventually
from PIL import Image, ImageChops, ImageStat

_CAPTION = 48
"""Height of what covers the pattern of a virtual camera."""

_CAMERAS = """
const text = (one, selector) => one.querySelector(selector).textContent;
return [...document.querySelectorAll(".camera")].map((one) => ({
  name: text(one, ".name"), node: text(one, ".node"), state: one.dataset.state, said: text(one, ".said"),
  rate: text(one, ".rate"), age: text(one, ".age"), label: one.querySelector("canvas").getAttribute("aria-label"),
  filter: getComputedStyle(one.querySelector("canvas")).filter, pictured: "pictured" in one.dataset,
}));
"""
_PICTURE = """
return document.querySelector(`.camera[data-id="${arguments[0]}"] canvas`).toDataURL("image/png").split(",")[1];
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One camera; label is what a screen reader calls its picture, filter how that is drawn."""

    name: str
    node: str
    state: str
    said: str
    rate: str
    age: str
    label: str
    filter: str
    pictured: bool


Cameras = Mapping[str, Shown]
"""Cameras by the names of their Instances, in the page's order."""


def cameras(driver: Driver) -> Cameras:
    """All cameras, taken at one moment."""
    return {one["name"]: Shown(**one) for one in driver.execute_script(_CAMERAS)}


def until(driver: Driver, seen: Callable[[Cameras], Any], *, within: float = 30, what: str = "the cameras") -> Cameras:
    """Cameras once they are as wanted; fails with the last ones when that takes too long."""
    return shown(lambda: cameras(driver), seen, within=within, what=what)


def live(*names: str) -> Callable[[Cameras], bool]:
    """Whether these cameras, and no others, are there and live, with a picture."""
    return lambda found: (
        list(found) == sorted(names) and all(one.state == "live" and one.pictured for one in found.values())
    )


def picture(driver: Driver, name: str) -> bytes:
    """The picture that a camera shows at this moment, as PNG of its pixels."""
    return base64.b64decode(driver.execute_script(_PICTURE, name))


def some_pictures(driver: Driver, camera: str, count: int) -> dict[float, bytes]:
    """Pictures of a virtual camera by the time that is in them, in seconds since 1970."""
    taken: dict[float, bytes] = {}

    def take() -> bool:
        pixels = picture(driver, camera)
        stamp = read_stamp(pixels)
        assert stamp is not None
        taken[stamp] = pixels
        return len(taken) >= count

    eventually(take, what=f"{count} pictures of {camera}")
    return taken


def difference(one: bytes, other: bytes) -> float:
    """The mean difference of two pictures' pixels under the caption, of 255."""
    return float(sum(ImageStat.Stat(ImageChops.difference(_pattern(one), _pattern(other))).mean) / 3)


def _pattern(encoded: bytes) -> Image.Image:
    whole = Image.open(io.BytesIO(encoded)).convert("RGB")
    return whole.crop((0, _CAPTION, *whole.size))
