"""The page for people: what this is, which protocols are where, and live figures."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files

from rtcsig import __version__

__all__ = ["CONTENT_SECURITY_POLICY", "page"]

_TEMPLATE = files("rtcsig.web").joinpath("page.html").read_text(encoding="utf-8")


def _source(element: str) -> str:
    """What the policy calls the one element of this name: nothing else may run."""
    found = re.search(rf"<{element}>(.*?)</{element}>", _TEMPLATE, re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no {element}")
    return f"'sha256-{b64encode(sha256(found[1].encode()).digest()).decode()}'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; connect-src 'self'; script-src {_source('script')}; "
    f"style-src {_source('style')}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
).encode()


def page(mounts: list[tuple[str, str]], machine: str, *, is_apart: bool) -> bytes:
    """The page, as UTF-8; ``is_apart`` when peers do not connect where it is read."""
    rows = "".join(
        f"<tr><td><code>{escape(path)}</code></td><td>{escape(dialect)}</td>"
        f"<td>{_address(path, is_apart)}</td></tr>"
        for path, dialect in mounts
    )
    values = {"version": __version__, "machine": machine, "mounts": rows}
    text = _TEMPLATE
    for name, value in values.items():
        text = text.replace(f"{{{{{name}}}}}", value if name == "mounts" else escape(value))
    return text.encode()


def _address(path: str, is_apart: bool) -> str:
    """Where peers connect: the browser knows by which name this machine is found."""
    return "on another port" if is_apart else f'<code data-path="{escape(path)}"></code>'
