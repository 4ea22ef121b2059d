"""Keys and certificates for the loopback, made when they are needed."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Authority", "make_certificate"]

_PEM = serialization.Encoding.PEM


def make_certificate(folder: Path, name: str = "rtcsig") -> tuple[Path, Path]:
    """Make a key and a certificate signed by itself; returns their files in ``folder``."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _written(folder, key, _signed(key, name, key, name))


class Authority:
    """Somebody who signs certificates; ``file`` has its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = name
        self.file = folder / f"{name}.pem"
        own = _signed(self._key, name, self._key, name, is_authority=True)
        self.file.write_bytes(own.public_bytes(_PEM))

    def make_certificate(self, folder: Path, name: str = "client") -> tuple[Path, Path]:
        """Make a key and a certificate signed by this one; returns their files in ``folder``."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _written(folder, key, _signed(key, name, self._key, self._name))


def _written(
    folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> tuple[Path, Path]:
    secret = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = folder / "key.pem", folder / "certificate.pem"
    files[0].write_bytes(secret)
    files[1].write_bytes(certificate.public_bytes(_PEM))
    return files


def _signed(
    key: ec.EllipticCurvePrivateKey,
    name: str,
    by: ec.EllipticCurvePrivateKey,
    signer: str,
    *,
    is_authority: bool = False,
) -> x509.Certificate:
    """A certificate for ``key``, for two days around now."""
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(signer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
    )
    if is_authority:
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        builder = builder.add_extension(constraint, critical=True)
    return builder.sign(by, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
