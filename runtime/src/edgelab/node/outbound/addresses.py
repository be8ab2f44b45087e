"""Addresses that no module may talk to, whatever allows it: those of the link, of everybody and of clouds. Pure."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

_FORBIDDEN = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # Linux takes 0.0.0.0 for loopback
        "169.254.0.0/16",  # link-local, and metadata of nearly all clouds
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "168.63.129.16/32",  # the host of an Azure machine
        "192.0.0.192/32",  # metadata of Oracle Cloud's first generation
        "::/128",
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, its predecessor
        "ff00::/8",  # multicast
        "fd00:ec2::/32",  # services of AWS, metadata among them
        "fd20:ce::254/128",  # metadata of Google Cloud
        "fd00:42::42/128",  # metadata of Scaleway
    )
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")


def plain(text: str) -> Address:
    """An address without its zone; one of IPv4 that is written in IPv6 as what it is. Raises ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_forbidden(address: Address) -> bool:
    """No module may talk to this address, or to one that it is a tunnel or a translation to."""
    inner = _embedded(address)
    return any(each in network for each in (address, *inner) for network in _FORBIDDEN) or any(
        each.is_loopback for each in inner
    )


def _embedded(address: Address) -> list[Address]:
    """The IPv4 addresses within an IPv6 address of 6to4, Teredo, NAT64, or the deprecated `::a.b.c.d`."""
    if isinstance(address, IPv4Address) or address.is_loopback:
        return []
    found: list[Address] = [*(address.teredo or ())]
    if address.sixtofour:
        found.append(address.sixtofour)
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return found
