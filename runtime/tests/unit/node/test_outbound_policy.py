"""Where requests may go, and where none may go whatever allows it."""

import json
import socket
from dataclasses import asdict
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from edgelab.core.errors import LabError
from edgelab.node.outbound.addresses import is_forbidden, plain
from edgelab.node.outbound.connection import Deadline, allowed_addresses
from edgelab.node.outbound.errors import OutboundError
from edgelab.node.outbound.policy import (
    ALLOWED_DOMAINS,
    MOST_OPEN,
    MOST_REQUESTS,
    NOWHERE,
    Policy,
    Socket,
    endpoints,
    policy,
)
from edgelab.node.outbound.urls import Endpoint, parse
from hypothesis import assume, given
from hypothesis import strategies as st

DEVICE = "http://127.0.0.1:9001/"
REFUSED_V4 = ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "100.100.100.200/32", "168.63.129.16/32")
REFUSED_V6 = ("::/128", "fe80::/10", "ff00::/8", "fec0::/10", "fd00:ec2::254/128", "fd20:ce::254/128")
LAB = (Socket("127.0.0.1", 6443), Socket("10.89.0.1", 6443), Socket("api.example", 7443))


def reached(url: str, by: Policy, **names: str) -> list[str]:
    """The addresses that a request would go to; none when it is refused."""
    wanted = parse(url).endpoint
    if not by.allows(wanted):
        return []
    try:
        found = allowed_addresses(wanted, by, lambda host: names[host.replace(".", "_")].split(), Deadline(60))
    except OutboundError:
        return []
    return [str(address) for address in found]


def annotated(*domains: str, refused: tuple[Socket, ...] = LAB) -> Policy:
    return policy({ALLOWED_DOMAINS: json.dumps(domains)}, {}, refused)


def device(*urls: str, refused: tuple[Socket, ...] = LAB) -> Policy:
    return policy({}, {f"E{number}": url for number, url in enumerate(urls)}, refused)


def whatever(url: str, refused: tuple[Socket, ...] = ()) -> Policy:
    """Everything that could allow a URL does."""
    wanted = parse(url).endpoint
    return Policy((wanted.host,), (wanted,), refused)


@pytest.mark.parametrize("url", [DEVICE, "http://10.0.0.1/", "https://example.com/"])
def test_nothing_is_allowed_by_default(url: str) -> None:
    assert not NOWHERE.allows(parse(url).endpoint)


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        (DEVICE, True),
        ("http://127.0.0.1:9001/other?path", True),
        ("HTTP://0x7f.1:9001", True),
        ("http://127.0.0.1:9002/", False),
        ("https://127.0.0.1:9001/", False),
        ("http://localhost:9001/", False),
        ("http://127.0.0.2:9001/", False),
        ("http://[::ffff:127.0.0.1]:9001/", False),
    ],
)
def test_a_device_is_reached_exactly(url: str, is_allowed: bool) -> None:
    assert bool(reached(url, device(DEVICE))) == is_allowed


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://example.com/", True),
        ("http://EXAMPLE.com.:8080/x", True),
        ("http://sub.example.com/", False),
        ("http://example.com.evil.example/", False),
        ("http://192.0.2.7:99/", True),
        ("http://0xc0000207/", True),
        ("http://192.0.2.8/", False),
    ],
)
def test_an_annotation_allows_hosts_on_every_port(url: str, is_allowed: bool) -> None:
    by = annotated("https://example.com/path", "http://192.0.2.7")
    assert bool(reached(url, by, example_com="192.0.2.1")) == is_allowed


def test_the_addresses_of_a_name_are_looked_at_one_by_one() -> None:
    answer = "169.254.169.254 192.0.2.1 ::ffff:127.0.0.1 2001:db8::1"
    assert reached("http://example.com/", annotated("http://example.com"), example_com=answer) == [
        "192.0.2.1",
        "2001:db8::1",
    ]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"])
def test_an_annotated_name_does_not_become_this_machine(address: str) -> None:
    assert reached("http://example.com:80/", annotated("http://example.com"), example_com=address) == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.1.2.3"])
def test_loopback_that_is_named_is_reached_but_where_the_lab_listens(host: str) -> None:
    by = annotated(f"http://{host}")
    assert reached(f"http://{host}:8080/", by, localhost="127.0.0.1 ::1")
    assert reached(f"http://{host}:6443/", by, localhost="127.0.0.1 ::1") == []


def test_a_device_may_have_a_name_that_means_this_machine() -> None:
    by = device("http://camera.example:9001/", "http://camera.example:6443/")
    assert reached("http://camera.example:9001/", by, camera_example="127.0.1.1") == ["127.0.1.1"]
    assert reached("http://camera.example:6443/", by, camera_example="127.0.1.1") == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:6443/", "http://127.9.9.9:6443/", "http://10.89.0.1:6443/", "http://[::ffff:10.89.0.1]:6443/"],
)
def test_the_labs_own_processes_are_no_devices(url: str) -> None:
    assert reached(url, device(url)) == []
    assert reached(url, annotated(url)) == []
    assert reached(url, device(url, refused=())) != []


@pytest.mark.parametrize(
    ("listens", "asked", "is_reached"),
    [
        ("192.0.2.5", "192.0.2.5", False),
        ("192.0.2.5", "127.0.0.1", False),
        ("192.0.2.5", "2001:db8::5", False),
        ("127.0.0.1", "192.0.2.5", False),
        ("192.0.2.5", "192.0.2.6", True),
        ("192.0.2.6", "192.0.2.5", True),
        ("192.0.2.6", "127.0.0.1", True),
    ],
)
def test_a_process_of_the_lab_is_reached_by_no_address_of_its_machine(
    monkeypatch: pytest.MonkeyPatch, listens: str, asked: str, is_reached: bool
) -> None:
    own = [ip_address(each) for each in ("127.0.0.1", "192.0.2.5", "2001:db8::5")]
    monkeypatch.setattr("edgelab.node.outbound.connection.is_local", lambda address: address in own)
    by = device("http://d.example:9000/", refused=(Socket(listens, 9000),))
    assert bool(reached("http://d.example:9000/", by, d_example=asked)) == is_reached


def test_a_process_of_the_lab_may_be_known_by_name() -> None:
    names = {"api_example": "192.0.2.9", "other_example": "192.0.2.9"}
    by = annotated("http://other.example", "http://192.0.2.9")
    assert reached("http://192.0.2.9:7443/", by, **names) == []
    assert reached("http://other.example:7443/", by, **names) == []
    assert reached("http://other.example:7444/", by, **names) == ["192.0.2.9"]


def test_what_devices_name_is_read_from_their_variables() -> None:
    found = endpoints({"A": "http", "B": "http://h:1/x", "C": "https://h", "D": "http://h:1/", "E": "ftp://h", "F": ""})
    assert found == (Endpoint("http", "h", 1), Endpoint("https", "h", 443))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        *(
            (ALLOWED_DOMAINS, each)
            for each in ("", "https://a", "{}", '"http://a"', "[1]", '["a"]', '["ftp://a"]', "[")
        ),
        *((ALLOWED_DOMAINS, each) for each in ("[" * 100_000, '["insecure:allow-all"]', '["http://\\ud800"]')),
        *((MOST_REQUESTS, each) for each in ("", "-1", "1.5", "many", " 1", "\u0661", "9" * 10)),
    ],
)
def test_a_malformed_annotation_is_named(annotation: str, value: str) -> None:
    with pytest.raises(LabError) as raised:
        policy({annotation: value}, {}, ())
    assert annotation in str(raised.value)


def test_how_many_may_be_open() -> None:
    assert policy({MOST_REQUESTS: "3"}, {}, ()).most_open == 3
    assert policy({}, {}, ()).most_open == MOST_OPEN


def test_a_policy_survives_its_way_through_json() -> None:
    full = Policy(("a",), (Endpoint("http", "::1", 1),), LAB, 2)
    assert Policy.from_dict(json.loads(json.dumps(asdict(full)))) == full


# No spelling of a refused address gets through. What an address means is asked of the C library, not of the code.


def ipv4_in(network: str) -> st.SearchStrategy[IPv4Address]:
    whole = IPv4Network(network)
    return st.integers(int(whole[0]), int(whole[-1])).map(IPv4Address)


def ipv6_in(network: str) -> st.SearchStrategy[IPv6Address]:
    whole = IPv6Network(network)
    return st.integers(int(whole[0]), int(whole[-1])).map(IPv6Address)


@st.composite
def spelled_ipv4(draw: st.DrawFn, addresses: st.SearchStrategy[IPv4Address]) -> str:
    """An IPv4 address as inet_aton reads it: one to four numbers, each decimal, octal or hexadecimal."""
    number, count = int(draw(addresses)), draw(st.integers(1, 4))
    parts = [(number >> 8 * (3 - index)) & 0xFF for index in range(count - 1)]
    parts.append(number & (2 ** (8 * (5 - count)) - 1))
    text = ".".join(
        draw(st.sampled_from(("{}", "0{:o}", "0x{:x}", "0X{:X}", "000{:o}"))).format(part) for part in parts
    )
    text = draw(st.sampled_from((str, lambda text: text.translate(FULL_WIDTH))))(text)
    return text + draw(st.sampled_from(("", ".", "\u3002")))


FULL_WIDTH = {ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}


@st.composite
def spelled_within_ipv6(draw: st.DrawFn, addresses: st.SearchStrategy[IPv4Address]) -> str:
    """An IPv4 address within one of IPv6."""
    inner = draw(addresses)
    high, low = int(inner) >> 16, int(inner) & 0xFFFF
    form = draw(st.sampled_from(("::ffff:{i}", "::FFFF:{h:x}:{l:x}", "64:ff9b::{i}", "2002:{h:x}:{l:x}::1", "::{i}")))
    text = form.format(i=inner, h=high, l=low)
    assume(not ip_address(text).is_loopback)
    return f"[{text}]"


REFUSED_V4_ADDRESSES = st.one_of([ipv4_in(network) for network in REFUSED_V4])
REFUSED = st.one_of(
    spelled_ipv4(REFUSED_V4_ADDRESSES),
    spelled_within_ipv6(REFUSED_V4_ADDRESSES),
    st.one_of([ipv6_in(network) for network in REFUSED_V6]).map(lambda address: f"[{address.exploded}]"),
)
PORTS = st.sampled_from(("", ":80", ":8080"))


@given(REFUSED, PORTS)
def test_no_spelling_of_a_refused_address_gets_through(host: str, port: str) -> None:
    url = f"http://{host}{port}/"
    assert reached(url, whatever(url)) == []


@given(REFUSED_V4_ADDRESSES | st.one_of([ipv6_in(network) for network in REFUSED_V6]))
def test_no_name_stands_for_a_refused_address(address: IPv4Address | IPv6Address) -> None:
    by = Policy(("name.example",), (Endpoint("http", "name.example", 80),))
    for answer in (str(address), f"{address}%2", f"::ffff:{address}" if address.version == 4 else str(address)):
        assert reached("http://name.example/", by, name_example=answer) == []


@given(spelled_ipv4(ipv4_in("127.0.0.0/8")) | st.sampled_from(("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]")))
def test_no_spelling_of_loopback_reaches_the_lab(host: str) -> None:
    url = f"http://{host}:6443/"
    assert reached(url, whatever(url, LAB)) == []


@given(st.text("0123456789abcdefxX.", min_size=1, max_size=20))
def test_numbers_mean_what_the_c_library_takes_them_for(host: str) -> None:
    try:
        meant = socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4][0]
    except (OSError, UnicodeError):
        return
    try:
        found = parse(f"http://{host}/").endpoint.host
    except ValueError:
        return
    assert found == meant


@given(st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_what_is_left_is_for_one_receiver(address: IPv4Address | IPv6Address) -> None:
    """An independent list, that of the standard library, knows nothing worse of what is not refused."""
    if not is_forbidden(plain(str(address))):
        assert not any((address.is_multicast, address.is_link_local, address.is_unspecified))
