"""Addresses as text."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from rtcsig.door.address import address_text, host_text


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (IPv4Address("TCP", "192.0.2.1", 80), "192.0.2.1:80"),
        (IPv6Address("TCP", "2001:db8::1", 80), "[2001:db8::1]:80"),
        (UNIXAddress(b"/run/x"), "unix:b'/run/x'"),
        (UNIXAddress(None), "unix"),
    ],
)
def test_address_as_text(address, text):
    """Each kind has its usual spelling."""
    assert address_text(address) == text


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ("192.0.2.1", 80, "192.0.2.1:80"),
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", 0, "192.0.2.1:0"),
        ("2001:db8::1", 80, "[2001:db8::1]:80"),
        ("2001:db8::1", None, "[2001:db8::1]"),
        ("fe80::1%eth0", 80, "[fe80::1%eth0]:80"),
    ],
)
def test_host_as_text(host, port, text):
    """With its port where that is known; IPv6 in brackets either way."""
    assert host_text(host, port) == text
