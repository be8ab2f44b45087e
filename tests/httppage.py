"""The live page of HTTP devices as a person sees it in a browser: its rows, its words, its switches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from browser import Driver, all_of, one_of, shown
from selenium.webdriver.remote.webelement import WebElement

_ROWS = """
const text = (row, selector) => row.querySelector(selector).textContent;
return [...document.querySelectorAll("tbody tr")].map((row) => ({
  device: text(row, ".device .name"), url: row.dataset.url, state: row.dataset.state, value: text(row, ".value"),
  said: text(row, ".said"), age: text(row, ".age"), instance: text(row, ".instance .name"),
  slots: text(row, ".slots"), brokers: text(row, ".brokers"), line: row.querySelector(".line").getAttribute("d") || "",
}));
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One row; value is the text that stands there, line the path of its chart."""

    device: str
    url: str
    state: str
    value: str
    said: str
    age: str
    instance: str
    slots: str
    brokers: str
    line: str


Rows = Mapping[str, Shown]
"""Rows by what the page calls the device, `Device 3`."""


def rows(driver: Driver) -> Rows:
    """All rows, taken at one moment."""
    return {one["device"]: Shown(**one) for one in driver.execute_script(_ROWS)}


def until(driver: Driver, seen: Callable[[Rows], Any], *, within: float = 30, what: str = "the rows") -> Rows:
    """Rows once they are as wanted; fails with the last ones when that takes too long."""
    return shown(lambda: rows(driver), seen, within=within, what=what)


def switch(driver: Driver, device: str) -> WebElement:
    """The switch of a device."""
    return next(one for one in all_of(driver, "[role=switch]") if one.accessible_name == f"{device} plugged in")


def is_on(button: WebElement) -> bool:
    """Whether a switch says that its device is plugged in."""
    return button.get_attribute("aria-checked") == "true"


def announced(driver: Driver) -> str:
    """What a screen reader was told last."""
    return str(one_of(driver, "[role=status]").get_attribute("textContent"))


def troubles(driver: Driver) -> str:
    """What the page says is amiss; empty when nothing is."""
    return one_of(driver, "#troubles").text
