"""The way to a server: over TLS if it is to be, whom to trust, and why it ended."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

__all__ = ["ProbeFailed", "endpoint", "trust_in", "why"]

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class ProbeFailed(Exception):
    """The server did not do what was asked; the text says what."""


def endpoint(
    reactor: Any, host: str, port: int, *, secure: bool, trust: Any
) -> IStreamClientEndpoint:
    """Where to connect to; over TLS the certificate must be for ``host``.

    ``trust`` is what ``trust_in`` made, or None for whom the platform trusts.
    """
    plain = HostnameEndpoint(reactor, host.encode().decode("idna"), port)
    if not secure:
        return plain
    options = _tls().optionsForClientTLS(host, trustRoot=trust)
    return wrapClientTLS(options, plain)


def trust_in(pem: bytes) -> Any:
    """Trust in these certificates and no others; raises ``ValueError`` if there are none."""
    tls = _tls()
    found = _PEM.findall(pem)
    if not found:
        raise ValueError("has no certificate in PEM")
    try:
        return tls.trustRootFromCertificates([tls.Certificate.loadPEM(each) for each in found])
    except Exception as error:
        # OpenSSL's own error has a list in place of a text.
        raise ValueError("has a certificate that cannot be read") from error


def why(error: Any) -> str:
    """What an error says to an operator, looking into those that only wrap others."""
    for wrapped in getattr(error, "reasons", ()):
        return why(wrapped.value)
    said = error.args[0] if error.args else None
    if isinstance(said, list):
        # OpenSSL's have a tuple for each that went wrong, with the words at its end;
        # service_identity's have an object for each name that was wanted.
        words = [str(each[-1]) for each in said if isinstance(each, tuple)]
        return f"TLS: {', '.join(words) or 'the certificate is for another host'}"
    return str(error) or type(error).__name__


def _tls() -> Any:
    try:
        from twisted.internet import ssl  # noqa: PLC0415 needs an extra
    except ImportError as error:
        raise ProbeFailed(
            "wss:// and https:// need the TLS libraries: pip install 'rtcsig[tls]'"
        ) from error
    return ssl
