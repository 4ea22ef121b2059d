"""The PROXY protocol's header, versions 1 and 2, as bytes.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. Twisted has parsers
of its own; they drop a header that comes in two reads, do not know ``PROXY
UNKNOWN`` alone, and take any text for an address.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from rtcsig.door.proxies import plain_host

__all__ = ["ProxyHeader", "read_proxy_header"]

_V1_START = b"PROXY"
_V1_MAX_BYTES = 107
_V1_LINE = re.compile(
    rb"PROXY (?:UNKNOWN[^\r\n]*|(TCP4|TCP6) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5}))"
)
_LARGEST_PORT = 65_535

_V2_START = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_HEAD_BYTES = 16
# Addresses need 216 bytes at most; what follows them are remarks of the proxy.
_V2_MAX_BYTES = 4096
_V2_LOCAL = 0x20
_V2_PROXY = 0x21
_V2_ADDRESS_BYTES = {0x11: 4, 0x21: 16}  # TCP over IPv4, TCP over IPv6


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A whole header: the client's address, and how many bytes the header took.

    ``host`` is None when the proxy speaks for itself, or for one without an
    IP address.
    """

    host: str | None
    port: int
    length: int


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Read the header that ``data`` begins with; None when more bytes are needed.

    Raises ``ValueError`` as soon as it is clear that this is no header.
    """
    if data[: len(_V2_START)] == _V2_START[: len(data)]:
        return _read_v2(data)
    if data[: len(_V1_START)] == _V1_START[: len(data)]:
        return _read_v1(data)
    raise ValueError("no PROXY header")


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_MAX_BYTES)
    if end < 0:
        if len(data) >= _V1_MAX_BYTES:
            raise ValueError("a PROXY header without end")
        return None
    line = _V1_LINE.fullmatch(data, 0, end)
    if line is None:
        raise ValueError("a PROXY header that cannot be read")
    family, source, _, source_port, _ = line.groups()
    if family is None:
        return ProxyHeader(None, 0, end + 2)
    kind = ipaddress.IPv4Address if family == b"TCP4" else ipaddress.IPv6Address
    port = int(source_port)
    if port > _LARGEST_PORT:
        raise ValueError("a PROXY header with a port that there is not")
    return ProxyHeader(plain_host(str(kind(source.decode("ascii")))), port, end + 2)


def _read_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < _V2_HEAD_BYTES:
        return None
    command, family = data[12], data[13]
    length = _V2_HEAD_BYTES + int.from_bytes(data[14:16], "big")
    if command not in (_V2_LOCAL, _V2_PROXY) or length > _V2_MAX_BYTES:
        raise ValueError("a PROXY header that cannot be read")
    if len(data) < length:
        return None
    address_bytes = _V2_ADDRESS_BYTES.get(family)
    if command == _V2_LOCAL or address_bytes is None:
        return ProxyHeader(None, 0, length)
    port_at = _V2_HEAD_BYTES + 2 * address_bytes
    if length < port_at + 4:
        raise ValueError("a PROXY header without its addresses")
    source = data[_V2_HEAD_BYTES : _V2_HEAD_BYTES + address_bytes]
    port = int.from_bytes(data[port_at : port_at + 2], "big")
    return ProxyHeader(plain_host(str(ipaddress.ip_address(source))), port, length)
