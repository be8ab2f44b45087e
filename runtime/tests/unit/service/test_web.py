"""Which requests a server of this machine refuses: those that a page of another site can make a browser send."""

import pytest
from edgelab.service.web import in_url, refusal

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "10.89.0.1:80", "edge.lab:80"]
)
def test_reading_is_for_those_who_know_the_server_by_its_address(host: str) -> None:
    assert refusal("GET", {"Host": host}, names=["edge.lab"]) is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[", "a:b:c"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_that_was_pointed_at_this_machine_is_refused(method: str, host: str) -> None:
    refused = refusal(method, {"Host": host, **JSON})
    assert refused
    assert refused[0] == 403
    assert repr(host) in refused[1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        (JSON, None),
        ({"Content-Type": "application/json; charset=utf-8"}, None),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({**JSON, "Origin": "http://localhost:80"}, None),
        ({**JSON, "Origin": "http://localhost:80", "Sec-Fetch-Site": "same-origin"}, None),
        ({**JSON, "Origin": "http://localhost:81"}, 403),
        ({**JSON, "Origin": "https://localhost:80"}, 403),
        ({**JSON, "Origin": "http://evil.example"}, 403),
        ({**JSON, "Origin": "null"}, 403),
        ({**JSON, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**JSON, "Sec-Fetch-Site": "same-site"}, 403),
        ({**JSON, "Sec-Fetch-Site": "none"}, 403),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_changes_are_for_pages_of_the_server_and_for_programs(
    method: str, headers: dict[str, str], status: int | None
) -> None:
    refused = refusal(method, {"Host": "localhost:80", **headers})
    assert (refused[0] if refused else None) == status


@pytest.mark.parametrize(("host", "text"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("edge.lab", "edge.lab")])
def test_hosts_in_urls(host: str, text: str) -> None:
    assert in_url(host) == text
