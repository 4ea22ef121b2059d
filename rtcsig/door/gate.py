"""The accept loop of one listener.

Twisted's own has three faults. One EMFILE makes it accept and close everybody
who waits. Without its reserved descriptor, which other threads can take, it
spins. And an exception in the set-up of one connection ends the batch, with the
protocol and the socket left to themselves. So ``Port.doRead`` is replaced:

* an error of accept(2) ends nothing. When it is about the machine and not
  about one connection, the listener is taken out of the reactor for
  ``PAUSE_S`` and everybody waits in the kernel's queue, which is what it is for;
* when there is no room left even to refuse somebody, the same;
* what fails while a connection is handed to its protocol and its transport
  is logged, counted, and closes that socket.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from rtcsig.door.accepting import FULL_PAUSE_S, PAUSE_S, Reaction, reaction_to, remedy_for
from rtcsig.door.ledger import Ledger
from rtcsig.door.report import Reporter, error_name

__all__ = ["AcceptGate"]

_MAX_ACCEPTS_PER_TURN = 100


class AcceptGate:
    """Accepts for ``port``, a ``tcp.Port`` or ``unix.Port``, from its making until ``stop``.

    ``has_room`` says whether one more connection could be held, if only to be
    told that the server is full. ``is_in_trouble`` while the listener pauses for an error.
    """

    def __init__(
        self,
        port: Any,
        listener: str,
        ledger: Ledger,
        reporter: Reporter,
        clock: IReactorTime,
        *,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self._port = port
        self._has_room = has_room
        self.listener = listener
        self.is_in_trouble = False
        self._ledger = ledger
        self._reporter = reporter
        self._clock = clock
        self._accepts_per_turn = _MAX_ACCEPTS_PER_TURN
        self._gone_in_a_row = 0
        self._resume_call: IDelayedCall | None = None
        self._port.doRead = self.accept

    @property
    def is_paused(self) -> bool:
        """Whether newcomers are left in the kernel's queue for now."""
        return self._resume_call is not None

    def is_dead(self) -> bool:
        """Whether nobody would notice a newcomer: neither the reactor nor a pause's end."""
        return not self.is_paused and self._port not in self._port.reactor.getReaders()

    def stop(self) -> None:
        """Do not resume any more: the listener ends."""
        if self._resume_call is not None:
            self._resume_call.cancel()
            self._resume_call = None

    def accept(self) -> None:
        """Accept who waits, within bounds; the reactor calls this when somebody does.

        Never raises: the reactor would take the listener out for good.
        """
        try:
            self._accept_some()
        except Exception as error:  # noqa: BLE001 whatever it is, the listener goes on later
            self._pause(error)

    def _accept_some(self) -> None:
        """Accept as many as in the turn before, or more if they were all there.

        So the call that finds nobody is saved.
        """
        accepted = 0
        for _ in range(self._accepts_per_turn):
            if not self._has_room():
                self._wait("full", FULL_PAUSE_S)
                break
            try:
                connection, address = self._port.socket.accept()
            except OSError as error:
                if self._after(error) is not Reaction.NEXT:
                    break
            else:
                accepted += 1
                self._gone_in_a_row = 0
                self._introduce(connection, address)
        all_were_there = accepted == self._accepts_per_turn
        self._accepts_per_turn = _MAX_ACCEPTS_PER_TURN if all_were_there else max(1, accepted)

    def _after(self, error: OSError) -> Reaction:
        reaction = reaction_to(error.errno, self._gone_in_a_row)
        if reaction is Reaction.NEXT:
            self._gone_in_a_row += 1
            self._ledger.accept_errors[error_name(error)] += 1
        elif reaction is Reaction.PAUSE:
            self._pause(error)
        return reaction

    def _pause(self, error: Exception) -> None:
        self._gone_in_a_row = 0
        self.is_in_trouble = True
        name = error_name(error)
        self._ledger.accept_errors[name] += 1
        fields = {
            "listener": self.listener,
            "error": name,
            "pause_s": PAUSE_S,
            "remedy": remedy_for(error),
        }
        self._reporter.trouble("listener pauses", fields, (self.listener, name))
        self._wait(name, PAUSE_S)

    def _wait(self, why: str, pause_s: float) -> None:
        self._ledger.accept_pauses[why] += 1
        self._port.pauseProducing()
        self._resume_call = self._clock.callLater(pause_s, self._resume)

    def _resume(self) -> None:
        self._resume_call = None
        self.is_in_trouble = False
        _reserve_descriptor()
        self._port.resumeProducing()

    def _introduce(self, connection: socket.socket, address: Any) -> None:
        """Make protocol and transport, and bring them together; what fails ends this connection."""
        port = self._port
        stage = "build"
        try:
            protocol = port.factory.buildProtocol(port._buildAddr(_with_scope(address)))
            number = port.sessionno
            port.sessionno += 1
            # Puts the socket into the reactor, which epoll can refuse (Twisted #11625).
            stage = "register"
            transport = port.transport(connection, protocol, address, port, number, port.reactor)
        except Exception as error:  # noqa: BLE001 whatever it is, it is this connection's
            connection.close()
            self._set_up_failed(stage, address, error)
            return
        try:
            protocol.makeConnection(transport)
        except Exception as error:  # noqa: BLE001 whatever it is, it is this connection's
            transport.abortConnection()
            self._set_up_failed("connect", address, error)

    def _set_up_failed(self, stage: str, address: Any, error: Exception) -> None:
        fields = {
            "listener": self.listener,
            "connection": self._ledger.next_number(),
            "address": address,
        }
        self._reporter.set_up_failure(stage, error, fields)


def _reserve_descriptor() -> None:
    """See that Twisted has its reserved descriptor: other listeners may use its own loop.

    Its ``reserve`` writes a traceback for each time that it cannot.
    """
    reserved: Any = tcp._reservedFD
    if not reserved.available():
        with suppress(OSError):
            reserved._fileDescriptor = reserved._fileFactory()


def _with_scope(address: Any) -> Any:
    """An address as Twisted wants it: that of IPv6 with the scope's name in the host."""
    if isinstance(address, tuple) and len(address) == 4 and address[3]:  # noqa: PLR2004 IPv6
        host = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
        return (host, *address[1:])
    return address
