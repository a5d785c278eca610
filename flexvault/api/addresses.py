"""From where a request came."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_PREFIX = 64
"""Bits of a version 6 address that belong to one customer at least: the rest they choose as they like."""


def read_address(headers: Mapping[str, str]) -> str:
    """Answer the address of a request's sender, without its port; empty where the front end told none.

    The front end appends the address that it saw; whatever stands before it came with the request.
    """
    text = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    for candidate in (text, text.rpartition(":")[0].strip("[]")):
        try:
            return _plain(ip_address(candidate))
        except ValueError:
            continue
    return ""


def _plain(read: IPv4Address | IPv6Address) -> str:
    """Write an address in one form: a zone is any text, and all of version 4 would be one network of version 6."""
    if isinstance(read, IPv6Address):
        read = read.ipv4_mapped or IPv6Address(read.packed)
    return str(read)


def network_of(address: str) -> str:
    """Answer what counts as one sender: a version 4 address, or the network of a version 6 one."""
    if not address:
        return ""
    read = ip_address(address)
    return str(ip_network((read.packed, _PREFIX), strict=False)) if isinstance(read, IPv6Address) else address
