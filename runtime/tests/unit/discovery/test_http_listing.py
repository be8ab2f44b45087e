"""The handler http: what counts as a list, as a URL, as a way round a proxy."""

import pytest
from edgelab.discovery.details import read_details
from edgelab.discovery.handler import InvalidDetailsError
from edgelab.discovery.handlers.http import HANDLER, HttpDetails, device
from edgelab.discovery.handlers.http.fetch import proxy_for
from edgelab.discovery.handlers.http.listing import Listing, NotAListError, read_listing
from hypothesis import given
from hypothesis import strategies as st

A, B = "http://127.0.0.1:9001/", "https://b.example/path?q=1"


@pytest.mark.parametrize(
    ("body", "endpoints", "refused"),
    [
        ("", (), ()),
        ("\n \n\r\n", (), ()),
        (f"{A}\n{B}\n", (A, B), ()),
        (f"{A}\n\n  {B}\t\r\n\n{A}\n", (A, B), ()),
        (f"\ufeff{A}", (A,), ()),
        (
            f"{A}\n/relative\nftp://a/\nhttp://\nhttp://a b/\n",
            (A,),
            ("/relative", "ftp://a/", "http://", "http://a b/"),
        ),
        (f"{A}\nhttp://a:x/\nhttp://a:99999/\nhttp://a:0/", (A,), ("http://a:x/", "http://a:99999/", "http://a:0/")),
        (f"{A}\nhttp://a/\x1b[2J", (A,), ("http://a/\x1b[2J",)),
        (f"{A}\nhttp://a/{'x' * 2048}", (A,), (f"http://a/{'x' * 48}...",)),
        ("http://[::1]:80/\nhttp://[::1/", ("http://[::1]:80/",), ("http://[::1/",)),
    ],
)
def test_each_line_is_an_endpoint_or_refused(body: str, endpoints: tuple[str, ...], refused: tuple[str, ...]) -> None:
    assert read_listing(body.encode()) == Listing(endpoints, refused)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html><body>http://a/</body></html>", "HTML or XML"),
        (f" \n<!doctype html>\n{A}\n".encode(), "HTML or XML, not with a list of URLs: '<!doctype html>'"),
        (b'{"error": "not ready"}', "none of its 1 lines is an http or https URL, the first is '{\"error"),
        (b"\x89PNG\r\n\x1a\n\xff", "9 bytes that are no text"),
        (b"a\0b", "3 bytes of binary data"),
    ],
)
def test_what_is_no_list_is_told(body: bytes, told: str) -> None:
    with pytest.raises(NotAListError) as caught:
        read_listing(body)
    assert told in str(caught.value)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace")))
def test_any_answer_is_a_list_or_is_told(body: bytes) -> None:
    try:
        listing = read_listing(body)
    except NotAListError:
        return
    assert len(set(listing.endpoints)) == len(listing.endpoints)
    assert all(endpoint.startswith("http") and endpoint == endpoint.strip() for endpoint in listing.endpoints)


def test_a_device_is_named_by_its_endpoint() -> None:
    assert device(A).id == A
    assert device(A).properties == {"AKRI_HTTP": "http", "AKRI_HTTP_DEVICE_ENDPOINT": A}
    assert (HANDLER.name, HANDLER.shared) == ("http", True)


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ("http://discovery:9999/discovery", HttpDetails("http://discovery:9999/discovery")),
        ("url: http://a/\nintervalSeconds: 10", HttpDetails("http://a/", 10.0)),
    ],
)
def test_details_are_a_url_or_a_mapping(text: str, details: HttpDetails) -> None:
    assert read_details(text, HttpDetails) == details


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("discovery", "discoveryDetails: url is 'discovery'; an http or https URL is wanted"),
        ("ftp://a/", "url is 'ftp://a/'; an http or https URL is wanted"),
        ("http:///x", "url is 'http:///x'"),
        ("http://a:99999/", "url is 'http://a:99999/'"),
        ("http://me:secret@a/", "url has a user name or password in it"),
        ("url: http://a/\nintervalSeconds: 0", "intervalSeconds is 0.0; 0.1 is the least"),
    ],
)
def test_bad_details_are_told(text: str, told: str) -> None:
    with pytest.raises(InvalidDetailsError) as caught:
        read_details(text, HttpDetails)
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://a.example/", "http://proxy:3128"),
        ("https://a.example/", None),
        ("http://inside.example/", None),
        ("http://127.0.0.1:9000/", None),
        ("http://127.8.8.8/", None),
        ("http://[::1]:9000/", None),
        ("http://localhost/", None),
        ("http://x.localhost/", None),
        ("http://192.0.2.1/", "http://proxy:3128"),
    ],
)
def test_no_proxy_stands_between_a_machine_and_itself(
    monkeypatch: pytest.MonkeyPatch, url: str, proxy: str | None
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy", "all_proxy", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert proxy_for(url) == proxy
