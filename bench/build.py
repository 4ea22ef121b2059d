"""The two C programs and a certificate, made under ``artefacts/bench``."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.certificates import make_certificate

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
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    key, signed = make_certificate(ARTEFACTS)
    return {"TLS_KEY": str(key), "TLS_CERTIFICATE": str(signed)}
