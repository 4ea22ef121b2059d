"""TLS for listeners: modern defaults, and certificates that can be read anew.

An ``ssl:`` endpoint of Twisted reads its files once, and speaks what was good when
it was written. Here its description is parsed by Twisted all the same, so its
arguments mean what they mean there; what is spoken, and when files are read, is ours.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, serverFromString
from twisted.internet.error import VerifyError
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

__all__ = ["Certificates", "TLSEndpoint"]

# Of TLS 1.2, what has forward secrecy and encrypts and authenticates in one (RFC 9325, 4.2);
# of TLS 1.3, everything.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL"
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_ASN1_TIME = "%Y%m%d%H%M%SZ"


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """The TLS side of one listener, from an ``ssl:`` description.

    A client must show a certificate signed by one of those in the file
    ``client_ca``, if there is one. Raises ``ValueError``, with the file and what is
    wrong with it.
    """

    def __init__(self, reactor: object, description: str, client_ca: str) -> None:
        self._reactor = reactor
        self._description = description
        self.use(self.read(client_ca))

    def read(self, client_ca: str) -> ssl.CertificateOptions:
        """Read all files anew, and change nothing. Raises ``ValueError``."""
        given = self.parsed()._sslContextFactory
        options = ssl.CertificateOptions(
            privateKey=given.privateKey,
            certificate=given.certificate,
            extraCertChain=given.extraCertChain,
            dhParameters=given.dhParameters,
            trustRoot=_trust(client_ca) if client_ca else None,
            acceptableCiphers=ssl.AcceptableCiphers.fromOpenSSLCipherString(_CIPHERS),
            raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
            # A client that asks for others only is refused in the handshake (RFC 7301, 3.2).
            acceptableProtocols=[b"http/1.1"],
        )
        options.getContext()
        return options

    def use(self, options: ssl.CertificateOptions) -> None:
        """Serve those who come from now on with these."""
        self._options = options

    @property
    def not_after_s(self) -> float:
        """When the certificate in use ends, in seconds since 1970."""
        leaf: Any = self._options.certificate
        text = leaf.get_notAfter().decode("ascii")
        return datetime.strptime(text, _ASN1_TIME).replace(tzinfo=UTC).timestamp()

    def serverConnectionForTLS(
        self,
        tlsProtocol: TLSMemoryBIOProtocol,  # noqa: ARG002 Twisted's
    ) -> SSL.Connection:
        """A connection by the certificate of now; those before keep theirs."""
        return SSL.Connection(self._options.getContext(), None)

    def parsed(self) -> Any:
        """Twisted's endpoint for the description."""
        if "sslmethod=" in self._description:
            raise ValueError("sslmethod: TLS 1.2 and 1.3 are spoken, and nothing else")
        try:
            endpoint: Any = serverFromString(self._reactor, self._description)
        except OSError as error:
            raise ValueError(f"{error.filename}: {error.strerror}") from None
        except crypto.Error:
            raise ValueError("a file has no key or no certificate in PEM") from None
        except VerifyError:
            raise ValueError("the key does not belong to the certificate") from None
        return endpoint


@implementer(IStreamServerEndpoint)
class TLSEndpoint:
    """Listens for TLS by ``certificates``, on an endpoint below or on the description's own."""

    def __init__(
        self, reactor: Any, certificates: Certificates, below: IStreamServerEndpoint | None = None
    ) -> None:
        self.certificates = certificates
        if below is None:
            parsed: SSL4ServerEndpoint = certificates.parsed()
            below = TCP4ServerEndpoint(reactor, parsed._port, parsed._backlog, parsed._interface)
        self._below = below

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; what ``factory`` makes gets a transport over TLS."""
        return self._below.listen(TLSMemoryBIOFactory(self.certificates, False, factory))


def _trust(path: str) -> Any:
    """What vouches for clients."""
    try:
        pem = Path(path).read_bytes()
        certificates = [ssl.Certificate.loadPEM(_BEGIN + part) for part in pem.split(_BEGIN)[1:]]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except crypto.Error:
        certificates = []
    if not certificates:
        raise ValueError(f"{path}: has no certificate in PEM")
    return ssl.trustRootFromCertificates(certificates)
