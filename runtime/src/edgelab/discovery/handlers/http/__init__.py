"""The handler `http`: devices that a discovery service lists by their URLs, as in Akri's development walkthrough.

Details: the service's URL, or `url:` and `intervalSeconds:`, which is 1 if it is not given. The service is asked anew
so many seconds after each answer, and answers with one http or https URL on a line. Each is a device: its id, and its
property AKRI_HTTP_DEVICE_ENDPOINT.

Blank lines and repeated ones do not count; a line that is no URL is left out with a warning. While the service does not
answer, or not with a list, the last list stands: the cause is told once, and that it answers again. Nothing is reported
before its first answer.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from edgelab.discovery.handlers.http.fetch import FetchError, check_url, fetch_body, open_session
from edgelab.discovery.handlers.http.listing import NotAListError, read_listing
from edgelab.discovery.sdk import Device, Properties, handler

log = logging.getLogger(__name__)

SHORTEST_INTERVAL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class HttpDetails:
    """Where the list is, and how long to wait between two questions."""

    url: str
    interval_seconds: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a URL that nobody could ask, and an interval that would be a burden."""
        check_url(self.url)
        if self.interval_seconds < SHORTEST_INTERVAL_SECONDS:
            raise ValueError(f"intervalSeconds is {self.interval_seconds}; {SHORTEST_INTERVAL_SECONDS} is the least")


@handler("http", shared=True)
async def discover(details: HttpDetails, _properties: Properties) -> AsyncIterator[Sequence[Device]]:
    """What the service lists, now and after each interval."""
    complaints = _Complaints(details.url)
    async with open_session() as session:
        while True:
            try:
                listing = read_listing(await fetch_body(session, details.url))
            except (FetchError, NotAListError) as error:
                complaints.failed(str(error))
            else:
                complaints.answered(listing.refused)
                yield [device(endpoint) for endpoint in listing.endpoints]
            await asyncio.sleep(details.interval_seconds)


HANDLER = discover


def device(endpoint: str) -> Device:
    """The device of an endpoint, with the properties that Akri's walkthrough gives it."""
    return Device(endpoint, {"AKRI_HTTP": "http", "AKRI_HTTP_DEVICE_ENDPOINT": endpoint})


class _Complaints:
    """Says each thing once, not with every question."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cause = ""
        self._refused: frozenset[str] = frozenset()

    def failed(self, cause: str) -> None:
        if cause != self._cause:
            log.warning("%s: %s; the last list stands until it answers", self._url, cause)
        self._cause = cause

    def answered(self, refused: Sequence[str]) -> None:
        if self._cause:
            log.warning("%s: it answers again", self._url)
        self._cause = ""
        for line in refused:
            if line not in self._refused:
                log.warning("%s: left out %r, which is no http or https URL", self._url, line)
        self._refused = frozenset(refused)
