"""What the server tells of itself: to metrics, to health checks, on its page, to its manager."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import twisted
from autobahn import __version__ as autobahn_version  # type: ignore[attr-defined]  # it has it
from twisted.internet.interfaces import IReactorTime

from rtcsig import __version__
from rtcsig.door.histogram import Histogram
from rtcsig.door.ledger import Reading
from rtcsig.door.life import State
from rtcsig.door.poller import Poller
from rtcsig.door.transport import queued_bytes
from rtcsig.hub import Hub
from rtcsig.listening import Listeners
from rtcsig.ops.health import REASONS, Health
from rtcsig.ops.metrics import Metrics
from rtcsig.web.access import Access
from rtcsig.web.admin import Views
from rtcsig.websocket.factory import House

__all__ = ["Vitals"]


class Vitals:
    """Reads the books of one server, when it is asked."""

    def __init__(
        self,
        house: House,
        hub: Hub,
        listeners: Listeners,
        clock: IReactorTime,
        *,
        restarts: int,
    ) -> None:
        self._house = house
        self._hub = hub
        self._listeners = listeners
        self._clock = clock
        self._restarts = restarts
        self._start_s = 0.0
        self.poller: Poller | None = None
        self.health = Health(house.turnstile, lambda: listeners.gates)
        self._metrics = Metrics(self.readings, self.distributions)

    def start(self) -> None:
        """Count the time from now on."""
        self._start_s = self._clock.seconds()

    def views(self, access: Callable[[], Access]) -> Views:
        """What the pages show."""
        return Views(
            faults=self.health.faults,
            reasons=self.health.reasons,
            facts=self.facts,
            metrics=self._metrics.exposition,
            mounts=lambda: [
                (mount.path, mount.dialect.name) for mount in self._house.mounts.mounts
            ],
            machine=platform.node(),
            is_apart=any(listener.is_for_admin for listener in self._listeners),
            access=access,
        )

    def readings(self) -> Iterator[Reading]:
        """Every number there is."""
        yield from self._house.ledger.readings()
        yield from self._house.readings()
        for namespace in self._hub:
            yield Reading("peers", {"mount": namespace.name}, len(namespace))
            yield Reading("away_peers", {"mount": namespace.name}, namespace.away)
        yield from self._kept()
        yield Reading("queued_bytes", {}, self._queued_bytes())
        reasons = self.health.reasons()
        for reason in REASONS:
            yield Reading("not_ready", {"reason": reason}, reason in reasons)
        yield Reading("restarts", {}, self._restarts)
        for description, certificates in self._listeners.certificates():
            yield Reading("certificates", {"listener": description}, certificates.not_after_s)
        versions = {
            "version": __version__,
            "twisted": twisted.__version__,
            "autobahn": autobahn_version,
        }
        yield Reading("build_info", versions, 1)

    def _kept(self) -> Iterator[Reading]:
        keeping = self._hub.keeping
        yield Reading("held_messages", {}, keeping.messages)
        yield Reading("kept_bytes", {}, keeping.bytes)
        for outcome, count in keeping.outcomes.items():
            yield Reading("absent_outcomes", {"outcome": outcome}, count)
        yield Reading("unheard_outcomes", {}, keeping.unheard_outcomes)

    def distributions(self) -> Mapping[str, Histogram]:
        """Every distribution there is."""
        ledger = self._house.ledger
        return {"round_trips_s": ledger.round_trips_s, "lags_s": ledger.lags_s}

    def facts(self) -> dict[str, Any]:
        """The few that say most."""
        ledger = self._house.ledger
        return {
            "open": ledger.states[State.OPEN],
            "connections": ledger.connections,
            "max_connections": ledger.max_connections,
            "descriptors": ledger.descriptors,
            "descriptor_limit": ledger.descriptor_limit,
            "lag_s": round(ledger.lag_s, 3),
            "up_s": round(self._clock.seconds() - self._start_s, 1),
        }

    def status(self) -> str:
        """One line for the service manager."""
        ledger = self._house.ledger
        reasons = self.health.reasons()
        takes = f"takes nobody: {', '.join(reasons)}" if reasons else "ready"
        return f"{takes}; {ledger.states[State.OPEN]} open of {ledger.connections} connections"

    def _queued_bytes(self) -> int:
        if self.poller is None:
            return 0
        return sum(queued_bytes(transport.protocol) for transport in self.poller.waiting())
