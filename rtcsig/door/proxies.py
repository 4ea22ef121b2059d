"""Proxies that may say whose connection they bring, and what they say in HTTP headers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

__all__ = ["FORWARDED", "UNIX", "Networks", "TrustedProxies", "hops_of", "plain_host"]

FORWARDED = "forwarded"
UNIX = "unix"

# More proxies than any request comes through; what stands before them is not looked at.
_MAX_HOPS = 32
_MAPPED_PREFIX_BITS = 96  # RFC 4291, 2.5.5.2

# NAME=VALUE of a Forwarded header (RFC 7239, 4); a value in quotes may hold anything.
_PAIR = r'([^\s;,="]+)=("(?:[^"\\]|\\.)*+"|[^\s;,"]*+)'
_PAIRS = re.compile(_PAIR)
_ONLY_PAIRS = re.compile(rf"{_PAIR}(?:\s*+;\s*+{_PAIR})*+")
# HOST, HOST:PORT, [HOST] or [HOST]:PORT; a bare IPv6 address has more than one colon.
_NODE = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9A-Fa-f:.]+)")


def plain_host(host: str) -> str | None:
    """An IP address in its one spelling, IPv4 within IPv6 as IPv4; None for anything else."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def hops_of(header: str, value: str) -> list[str | None]:
    """The addresses in a ``X-Forwarded-For`` or ``Forwarded`` header, the client's first.

    None stands for what is no address: ``unknown``, a made-up name (RFC 7239, 6),
    nonsense. Of very many the last are read, which proxies wrote.
    """
    if header == FORWARDED:
        elements = _unquoted_parts(value)
    else:
        elements = value.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]
    return [_host_of(header, element.strip()) for element in elements]


def _unquoted_parts(value: str) -> list[str]:
    """The last parts between commas that are not in quotes.

    Quotes are counted from the end, where the last proxy wrote, which closes
    those that it opens: so none that a client left open swallows what follows,
    and a host that the client chose and the proxy put in quotes stays whole.
    """
    elements = []
    end = len(value)
    is_quoted = False
    for place in range(len(value) - 1, -1, -1):
        if value[place] == '"' and not _is_escaped(value, place):
            is_quoted = not is_quoted
        elif value[place] == "," and not is_quoted:
            elements.append(value[place + 1 : end])
            end = place
            if len(elements) == _MAX_HOPS:
                break
    else:
        elements.append(value[:end])
    return elements[::-1]


def _is_escaped(value: str, place: int) -> bool:
    first = place
    while first > 0 and value[first - 1] == "\\":
        first -= 1
    return (place - first) % 2 == 1


def _host_of(header: str, element: str) -> str | None:
    if header == FORWARDED:
        pairs = _PAIRS.findall(element) if _ONLY_PAIRS.fullmatch(element) else ()
        nodes = [node for name, node in pairs if name.lower() == "for"]
        element = nodes[0].strip('"') if len(nodes) == 1 else ""
    node = _NODE.fullmatch(element)
    return plain_host(next(filter(None, node.groups()))) if node else None


class Networks:
    """A set of addresses.

    Made from networks in CIDR notation, single addresses, and ``unix`` for those
    who come through a unix socket. Raises ``ValueError`` for anything else.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        networks = tuple(networks)
        self._has_unix = UNIX in networks
        self._networks = [_network(text) for text in networks if text != UNIX]

    def __contains__(self, host: str | None) -> bool:
        """Whether a peer is one of them; None is a peer behind a unix socket."""
        if host is None:
            return self._has_unix
        if not self._networks:
            return False
        plain = plain_host(host)
        if plain is None:
            return False
        address = ipaddress.ip_address(plain)
        return any(address in network for network in self._networks)


class TrustedProxies(Networks):
    """The addresses whose word about other addresses counts."""

    def client_of(self, proxy: str | None, hops: list[str | None]) -> str | None:
        """Whose request a proxy brings, by the addresses that it and those before it noted.

        Each hop was written by the one behind it, so they are believed from
        the end on, as long as the writer is a trusted proxy. What cannot be
        read ends that: then it is the last proxy's own request.
        """
        client = proxy
        for hop in reversed(hops):
            if client not in self or hop is None:
                break
            client = hop
        return client


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is no network, no address and not unix") from None
    # Addresses are compared as IPv4 when they are IPv4 within IPv6.
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= _MAPPED_PREFIX_BITS:
        return ipaddress.ip_network(f"{mapped}/{network.prefixlen - _MAPPED_PREFIX_BITS}")
    return network
