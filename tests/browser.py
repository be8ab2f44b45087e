"""A headless Chromium for tests that look at pages, driven by Debian's chromedriver.

Root has both installed where they lack; for others the tests are skipped, and say what to install.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from labkit import eventually
from packages import have
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

Driver = webdriver.Chrome
T = TypeVar("T")

_PACKAGES = {"chromium": "chromium", "chromedriver": "chromium-driver"}


def lacking() -> str:
    """The reason to skip tests in a browser; empty when there is one, which root has installed by this call."""
    try:
        have(_PACKAGES)
    except RuntimeError as error:
        if os.getuid() == 0:
            raise
        return str(error)
    return ""


@contextlib.contextmanager
def chromium(width: int = 1400, height: int = 1000, *, scheme: str = "light") -> Iterator[Driver]:
    """A browser for the block; scheme: `light` or `dark`, what the user prefers."""
    options = webdriver.ChromeOptions()
    options.binary_location = _program("chromium")
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    if os.getuid() == 0:
        options.add_argument("--no-sandbox")
    driver = webdriver.Chrome(options=options, service=Service(_program("chromedriver")))
    try:
        resize(driver, width, height)
        prefer(driver, scheme)
        yield driver
    finally:
        driver.quit()


def shown(
    look: Callable[[], Mapping[str, T]], seen: Callable[[Mapping[str, T]], Any], *, within: float, what: str
) -> Mapping[str, T]:
    """What a page shows, by names, once it is as wanted; fails with what it showed last when that takes too long."""
    last: Mapping[str, T] = {}

    def as_wanted() -> bool:
        nonlocal last
        last = look()
        return bool(seen(last))

    try:
        eventually(as_wanted, within=within, what=what)
    except AssertionError as error:
        raise AssertionError(f"{error}\n" + "\n".join(map(str, last.values()))) from error
    return last


def resize(driver: Driver, width: int, height: int) -> None:
    """Give the page this size; a window could not be made as narrow as a telephone."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(driver: Driver, scheme: str) -> None:
    """The user prefers this scheme from now on, `light` or `dark`."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def looks_dark(driver: Driver) -> bool:
    """Whether the page's ground is dark."""
    ground = driver.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    return max(map(int, ground[4:-1].split(","))) < 100


# The contrast ratio of WCAG 2 between an element's text and what is behind it.
_CONTRAST = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return colour.endsWith(", 0)") ? behind(element.parentElement) : colour;
};
const texts = [...document.querySelectorAll("body *")].filter((one) =>
  [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) && one.checkVisibility());
return texts.map((one) => {
  const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.className || one.tagName, behind(one)];
});
"""


def unreadable(driver: Driver, *, at_least: int) -> list[Any]:
    """Texts with less contrast than 4.5, of the many that there have to be: [contrast, where, on which colour]."""
    measured = driver.execute_script(_CONTRAST)
    assert len(measured) >= at_least
    return [one for one in measured if one[0] < 4.5]


def all_of(driver: Driver | WebElement, selector: str) -> list[WebElement]:
    """The elements that a CSS selector finds."""
    return driver.find_elements(By.CSS_SELECTOR, selector)


def one_of(driver: Driver | WebElement, selector: str) -> WebElement:
    """The first of them; raises when there is none."""
    return driver.find_element(By.CSS_SELECTOR, selector)


def errors_of(driver: Driver) -> list[str]:
    """What the browser complained of since the last call: failed scripts, refused resources, ..."""
    entries: list[dict[str, str]] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed"
    return found


def picture(driver: Driver, name: str) -> None:
    """Keep a picture of the page as NAME.png in the directory $EDGELAB_PICTURES, where that is set."""
    if directory := os.environ.get("EDGELAB_PICTURES"):
        driver.save_screenshot(str(Path(directory) / f"{name}.png"))
