"""One act done to one server, and what became of the server and of the others."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from tests.survival.acts import Act
from tests.survival.guest import TROUBLE, Guest
from tests.survival.kinds import Kind
from tests.survival.running import Running

__all__ = ["Outcome", "outcome_of"]

_PAUSE_S = 0.01
_WARM_UP = 20
# A server may need a moment to find that it can accept again.
_NEWCOMERS = 3


@dataclass(frozen=True)
class Outcome:
    """What became of them; ``others`` is empty if they were served."""

    alive: bool
    others: str
    recovered: bool
    gained_bytes: int = 0
    remark: str = ""
    log: str = ""

    @property
    def well(self) -> bool:
        """Whether nobody else noticed."""
        return self.alive and not self.others and self.recovered


def outcome_of(kind: Kind, act: Act) -> Outcome:
    """Do the act to a fresh server while two other peers talk through it."""
    with Running(kind) as server, server.guest("one") as one, server.guest("two") as two:
        for _ in range(_WARM_UP):
            _exchange(server, one, two)
        before = server.resident_bytes()
        server.forget_peak()
        others, remark = _others_during(server, act, one, two)
        recovered = not server.ended and any(
            server.serves(f"new-{number}") for number in range(_NEWCOMERS)
        )
        if (others or not recovered) and server.ends():
            return Outcome(alive=False, others=others, recovered=False, log=server.log)
        return Outcome(
            alive=True,
            others=others,
            recovered=recovered,
            gained_bytes=server.peak_bytes() - before,
            remark=remark,
            log=server.log,
        )


def _others_during(server: Running, act: Act, one: Guest, two: Guest) -> tuple[str, str]:
    """How two peers fared during the act and after it, and what there is to remark on the act."""
    with ThreadPoolExecutor(1) as pool:
        doing = pool.submit(_do, server, act)
        others = _talk(server, one, two, doing)
        return others, doing.result()


def _do(server: Running, act: Act) -> str:
    try:
        return act.do(server)
    except TROUBLE as trouble:
        return f"not let in: {trouble}"


def _talk(server: Running, one: Guest, two: Guest, doing: Future[str]) -> str:
    """Exchange messages until the act is done, and once more; says what came between."""
    try:
        while not wait([doing], _PAUSE_S).done:
            _exchange(server, one, two)
        _exchange(server, one, two)
    except TimeoutError:
        return "stalls"
    except TROUBLE:
        return "cuts others"
    return ""


def _exchange(server: Running, one: Guest, two: Guest) -> None:
    one.tell(two)
    two.tell(one)
    server.exchanged += 2
