"""The two C programs and a certificate, made under ``artefacts/bench``."""

from __future__ import annotations

import datetime as dt
import ipaddress
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["ARTEFACTS", "ROOT", "certificate", "compiled"]

ROOT = Path(__file__).parent.parent
ARTEFACTS = ROOT / "artefacts" / "bench"


def compiled(name: str, *libraries: str) -> Path:
    """Compile ``bench/NAME.c``; returns the program. Raises ``CalledProcessError``."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    program = ARTEFACTS / name
    source = Path(__file__).parent / f"{name}.c"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", program, source, *libraries], check=True)
    return program


def certificate() -> dict[str, str]:
    """A key and a certificate for the loopback, as the variables that the servers read."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    files = {"TLS_KEY": ARTEFACTS / "key.pem", "TLS_CERTIFICATE": ARTEFACTS / "certificate.pem"}
    files["TLS_KEY"].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    files["TLS_CERTIFICATE"].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return {name: str(path) for name, path in files.items()}
