"""URLs in one spelling."""

import pytest
from edgelab.node.outbound.urls import LONGEST_URL, Endpoint, canonical_host, parse
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "endpoint", "target"),
    [
        ("http://host", Endpoint("http", "host", 80), "/"),
        ("https://host", Endpoint("https", "host", 443), "/"),
        ("HTTP://Host.Example.:8080/A?b=C#d", Endpoint("http", "host.example", 8080), "/A?b=C"),
        ("http://host?x", Endpoint("http", "host", 80), "/?x"),
        ("http://host:/", Endpoint("http", "host", 80), "/"),
        ("http://host:0080/", Endpoint("http", "host", 80), "/"),
        ("http://[::1]:81/", Endpoint("http", "::1", 81), "/"),
        ("http://[0:0:0:0:0:0:0:1]/", Endpoint("http", "::1", 80), "/"),
        ("http://h/a b\u00fc%41", Endpoint("http", "h", 80), "/a%20b%C3%BC%41"),
        ("http://h/a#b", Endpoint("http", "h", 80), "/a"),
        ("http://h/x@y:z", Endpoint("http", "h", 80), "/x@y:z"),
        ("http://b\u00fccher.example/", Endpoint("http", "xn--bcher-kva.example", 80), "/"),
        ("http://_a-b.c_d/", Endpoint("http", "_a-b.c_d", 80), "/"),
    ],
)
def test_what_a_url_says(text: str, endpoint: Endpoint, target: str) -> None:
    found = parse(text)
    assert (found.endpoint, found.target) == (endpoint, target)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "host",
            "//host",
            "http:host",
            "http:/host",
            "http:///path",
            "http://",
            "ftp://host",
            "file:///etc/passwd",
        ),
        *(
            "http://user@host/",
            "http://user:password@host/",
            "http://allowed@127.0.0.1/",
            "http://a:80@b/",
            "http://@b/",
        ),
        *("http://host:0/", "http://host:65536/", "http://host:-1/", "http://host:8a/", "http://host:\u0661/"),
        *("http://ho st/", " http://host", "http://host ", "http://host\n", "http://ho\tst/", "http://h/\r\nHost: x"),
        *("http://host\\@other/", "http:\\\\host", "http://ho%73t/", "http://a..b/", "http://.a/", "http://a../"),
        *(
            "http://[::1",
            "http://::1/",
            "http://[::1]x/",
            "http://[fe80::1%25eth0]/",
            "http://[1.2.3.4]/",
            "http://[]/",
        ),
        *(
            "http://1.2.3.4.5/",
            "http://256.0.0.1/",
            "http://08.0.0.1/",
            "http://0xg.1/",
            "http://1..1/",
            "http://1.2.3.0x/",
        ),
        *("http://-a/", "http://a-/", "http://a,b/", "http://*/", f"http://{'a' * 64}/", f"http://{'a.' * 127}b/"),
        f"http://h/{'x' * LONGEST_URL}",
    ],
)
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any reason will do
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "017700000001"),
        *(
            "127.0.0.1.",
            "127.0.0.0x1",
            "\uff11\uff12\uff17.1",
            "127\u30020\uff0e0\uff611",
            "\u2460\u2461\u2466.0.0.\u2460",
        ),
    ],
)
def test_an_ipv4_address_has_one_spelling(text: str) -> None:
    assert canonical_host(text) == "127.0.0.1"


@given(st.text())
def test_nothing_else_is_raised(text: str) -> None:
    for url in (text, f"http://{text}/", f"http://host/{text}"):
        try:
            found = parse(url)
        except ValueError:
            continue
        assert parse(str(found)) == found
        assert found.endpoint.authority.isascii()
        assert all("!" <= letter <= "~" for letter in found.target)
