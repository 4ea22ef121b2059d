"""A request that is no upgrade: a web page answers it, once, on a connection that stays ours.

The pages know nothing of connections. A channel of twisted.web gets the request
head and a transport that is a front for ours: it writes through it, and when it
is done, the connection ends as every other one does, at the latest by the hard end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from rtcsig.door.life import Event
from rtcsig.websocket.ending import EndingProtocol
from rtcsig.websocket.request import END_OF_HEAD, page_path

__all__ = ["AnsweringProtocol"]


class AnsweringProtocol(EndingProtocol):
    """A connection that a web page can answer."""

    _channel: Any = None

    def page_host(self) -> str | None:
        """The host of the client for whom a page is, None for a unix socket. For the subclass."""
        raise NotImplementedError

    def _answers_with_page(self, data: bytes) -> bool:
        """Let the pages answer, if ``data`` has the head of a request for one of them."""
        house = self.factory.house
        head, end, _ = data.partition(END_OF_HEAD)
        if not end or house.site is None or page_path(head) not in house.site.paths:
            return False
        self._stage = "page"
        self._move(Event.ASKED)
        self._set_alarm(house.settings.close_timeout_s, self._hard_end, is_final=True)
        # One request is all that is taken on such a connection.
        self._parser_is_lost = True
        self.data = b""
        try:
            self._channel = house.site.for_one_answer()
            self._channel.makeConnection(
                _Front(self.transport, _address_of(self.page_host()), self)
            )
            self._channel.dataReceived(head + end)
        except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
            self._count_failure("page", error)
            self.transport.abortConnection()
        return True

    def page_is_answered(self) -> None:
        """End: the page is written."""
        self._begin_end()
        self._finish_answer(lingers=self._may_linger())

    def _leave_channel(self, reason: Failure | None) -> None:
        """Tell the channel that the connection is gone, if there is one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.connectionLost(reason)


def _address_of(host: str | None) -> IAddress:
    if host is None:
        return UNIXAddress(None)
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, 0)


@implementer(ITransport)
class _Front:
    """The transport that a channel sees.

    It has no backpressure: a page is a few kilobytes, and it is the only one.
    """

    disconnecting = False

    def __init__(self, transport: Any, peer: IAddress, connection: AnsweringProtocol) -> None:
        self._transport = transport
        self._peer = peer
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self._transport.write(b"".join(data))

    def loseConnection(self) -> None:
        self.disconnecting = True
        self._connection.page_is_answered()

    def abortConnection(self) -> None:
        self._transport.abortConnection()

    def getPeer(self) -> IAddress:
        return self._peer

    def getHost(self) -> IAddress:
        host: IAddress = self._transport.getHost()
        return host
