"""The rooms of the house depend on each other in one direction only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("rtcsig/**/*.py"), *ROOT.glob("twisted_plugins/*.py")])

# What each room may import, besides itself. `rtcsig` is the package with its version.
_BELOW_SERVER = {
    *("rtcsig", "codes", "settings", "hub", "dialects", "door", "websocket", "client", "ops"),
    "web",
}
MAY_IMPORT: dict[str, set[str]] = {
    "twisted_plugins": set(),
    "rtcsig": set(),
    "codes": set(),
    "values": set(),
    "setting": set(),
    "settings": {"setting", "values"},
    "client": set(),
    "hub": {"codes"},
    "dialects": {"hub", "codes"},
    "door": {"codes", "settings"},
    "websocket": {"door", "dialects", "codes", "settings"},
    "ops": {"door", "hub", "settings"},
    "web": {"rtcsig", "door"},
    "rules": _BELOW_SERVER,
    "listening": _BELOW_SERVER,
    "vitals": {*_BELOW_SERVER, "listening"},
    "server": {*_BELOW_SERVER, "rules", "listening", "vitals"},
    "application": {*_BELOW_SERVER, "rules", "listening", "server"},
    "tap": {*_BELOW_SERVER, "application"},
    "check": {"client"},
    "cli": {*_BELOW_SERVER, "tap", "check"},
    "__main__": {"cli"},
}
PURE = (
    "rtcsig.codes",
    "rtcsig.setting",
    "rtcsig.settings",
    "rtcsig.values",
    "rtcsig.client.backoff",
    "rtcsig.client.delivery",
    "rtcsig.client.errors",
    "rtcsig.client.verdict",
    "rtcsig.hub",
    "rtcsig.dialects",
    "rtcsig.door.admission",
    "rtcsig.door.histogram",
    "rtcsig.door.ledger",
    "rtcsig.door.life",
    "rtcsig.door.accepting",
    "rtcsig.door.linelimit",
    "rtcsig.door.outbox",
    "rtcsig.door.proxies",
    "rtcsig.door.proxyheader",
    "rtcsig.door.talk",
    "rtcsig.door.turnstile",
    "rtcsig.websocket.frames",
    "rtcsig.websocket.opening",
    "rtcsig.websocket.request",
    "rtcsig.ops.inheritance",
    "rtcsig.ops.restarts",
    "rtcsig.web.access",
    "rtcsig.web.page",
)
NOT_IN_PURE = {"asyncio", "autobahn", "socket", "time", "twisted", "zope"}


def module_of(path: Path) -> str:
    """The dotted name of a source file; a package's file counts as a module of it."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def room_of(module: str) -> str:
    """The room that a module is in."""
    top, *rest = module.split(".")
    return rest[0] if top == "rtcsig" and rest and rest[0] != "__init__" else top


def is_pure(module: str) -> bool:
    """Whether a module must do without a reactor, a socket and a clock."""
    return any(module == pure or module.startswith(f"{pure}.") for pure in PURE)


def is_for_types_only(node: ast.AST) -> bool:
    """Whether this is an ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imported(node: ast.AST) -> Iterator[str]:
    """The modules that are imported when this code runs, inside functions as well."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level:
        yield "." * node.level
    elif isinstance(node, ast.ImportFrom) and node.module == "rtcsig":
        rooms = [alias.name for alias in node.names if alias.name in MAY_IMPORT]
        yield from (f"rtcsig.{room}" for room in rooms)
        if len(rooms) < len(node.names):
            yield "rtcsig"
    elif isinstance(node, ast.ImportFrom):
        yield node.module
    children = node.orelse if is_for_types_only(node) else ast.iter_child_nodes(node)
    for child in children:
        yield from imported(child)


def offences(module: str, source: str) -> list[str]:
    """What a module imports against the rules."""
    room = room_of(module)
    if room not in MAY_IMPORT:
        return [f"{module}: the room {room} has no rule"]
    allowed = {*MAY_IMPORT[room], room}
    found = []
    for name in imported(ast.parse(source)):
        top = name.partition(".")[0]
        is_wrong_room = top == "rtcsig" and room_of(name) not in allowed
        if not top or is_wrong_room or (is_pure(module) and top in NOT_IN_PURE):
            found.append(f"{module} imports {name}")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_each_module_keeps_to_its_room(path):
    """No module imports upwards, and pure modules touch neither network nor clock."""
    assert offences(module_of(path), path.read_text(encoding="utf-8")) == []


def test_the_rules_go_in_one_direction():
    """The table itself has no circle."""
    assert list(TopologicalSorter(MAY_IMPORT).static_order())


def test_every_rule_has_its_files():
    """No rule and no pure module is left of what has been moved."""
    modules = {module_of(path).removesuffix(".__init__") for path in SOURCES}
    assert {room_of(module) for module in modules} == set(MAY_IMPORT)
    assert set(PURE) <= modules


@pytest.mark.parametrize(
    ("module", "source", "name"),
    [
        ("rtcsig.hub.registry", "import rtcsig.dialects", "rtcsig.dialects"),
        ("rtcsig.hub.registry", "from rtcsig.settings import Settings", "rtcsig.settings"),
        ("rtcsig.hub.registry", "from rtcsig import codes, door", "rtcsig.door"),
        ("rtcsig.hub.__init__", "from rtcsig import __version__", "rtcsig"),
        ("rtcsig.hub.registry", "def f():\n    import time", "time"),
        ("rtcsig.hub.registry", "try:\n    pass\nfinally:\n    import time", "time"),
        ("rtcsig.hub.registry", "from .registry import Hub", "."),
        ("rtcsig.hub.registry", "from .. import server", ".."),
        ("rtcsig.dialects.echo", "from rtcsig.door.life import State", "rtcsig.door.life"),
        ("rtcsig.door.transport", "from rtcsig.websocket import x", "rtcsig.websocket"),
        ("rtcsig.door.ledger", "from twisted.internet import reactor", "twisted.internet"),
        ("rtcsig.websocket.frames", "import autobahn.websocket as a", "autobahn.websocket"),
        ("rtcsig.websocket.factory", "import rtcsig.ops.logs", "rtcsig.ops.logs"),
        ("rtcsig.settings", "from zope.interface import implementer", "zope.interface"),
        ("rtcsig.codes", "import asyncio.events, json", "asyncio.events"),
        ("rtcsig.client.probe", "from rtcsig.codes import CloseCode", "rtcsig.codes"),
        ("rtcsig.client.verdict", "from time import monotonic", "time"),
        ("rtcsig.check", "from rtcsig.server import SignallingService", "rtcsig.server"),
        ("rtcsig.ops.logs", "from rtcsig.websocket import x", "rtcsig.websocket"),
        ("rtcsig.server", "from rtcsig.tap import Options", "rtcsig.tap"),
        ("rtcsig.tap", "from rtcsig import cli", "rtcsig.cli"),
        ("twisted_plugins.rtcsig_plugin", "import rtcsig", "rtcsig"),
        (
            "rtcsig.hub.registry",
            "if TYPE_CHECKING:\n    import time\nelse:\n    import socket",
            "socket",
        ),
        ("rtcsig.hub.registry", "if not TYPE_CHECKING or x:\n    import time", "time"),
    ],
)
def test_an_offence_is_found(module, source, name):
    """The check sees each way to import what is not allowed."""
    assert offences(module, source) == [f"{module} imports {name}"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("rtcsig.hub.registry", "import json\nfrom rtcsig.codes import CloseCode"),
        ("rtcsig.hub.registry", "if TYPE_CHECKING:\n    from rtcsig.server import x"),
        ("rtcsig.hub.registry", "if typing.TYPE_CHECKING:\n    import time"),
        ("rtcsig.hub.registry", "import timeit, sockets"),
        ("rtcsig.door.transport", "import socket, time\nfrom twisted.internet import tcp"),
        ("rtcsig.door.ledger", "from rtcsig.door.life import State"),
        ("rtcsig.server", "from rtcsig.ops import logs\nfrom rtcsig import __version__"),
        ("rtcsig.cli", "from rtcsig.tap import Options"),
    ],
)
def test_what_is_allowed_is_no_offence(module, source):
    """The check does not cry wolf."""
    assert offences(module, source) == []


def test_a_room_without_a_rule_is_an_offence():
    """Who builds a new room says what it may import."""
    assert offences("rtcsig.cellar.wine", "") == ["rtcsig.cellar.wine: the room cellar has no rule"]
