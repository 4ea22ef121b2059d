"""Addresses as text."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

__all__ = ["address_text", "host_text"]


def address_text(address: IAddress) -> str:
    """``HOST:PORT``, ``[HOST]:PORT`` for IPv6, ``unix`` or ``unix:PATH`` for a unix socket."""
    if isinstance(address, IPv4Address | IPv6Address):
        return host_text(address.host, address.port)
    if isinstance(address, UNIXAddress) and address.name:
        return f"unix:{address.name!r}"
    return "unix"


def host_text(host: str, port: int | None) -> str:
    """The same for a host; without a port where it is not known."""
    if ":" in host:
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"
