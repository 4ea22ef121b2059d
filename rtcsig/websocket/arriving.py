"""Who is it, and is there room: what is asked of a connection before its request is read.

The address is the peer's, unless the peer is a trusted proxy that brings
somebody else: then a PROXY header says who, before the request, or a header
field of the request does. The limits for one address concern whom the
connection belongs to. A trusted proxy that brings nobody has none: it would be
refused for all its clients together.
"""

from __future__ import annotations

from http import HTTPStatus

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

from rtcsig.codes import Refusal
from rtcsig.door.address import host_text
from rtcsig.door.proxies import hops_of
from rtcsig.door.proxyheader import read_proxy_header
from rtcsig.door.turnstile import Ticket, source_of
from rtcsig.websocket.guarded import GuardedProtocol
from rtcsig.websocket.request import field_values

__all__ = ["ArrivingProtocol"]

_MORE_ROOM = "raise --max-connections, and the limit of descriptors with it"


class ArrivingProtocol(GuardedProtocol):
    """A connection that is counted, and whose address is that of the client."""

    _ticket: Ticket | None = None
    _host: str | None = None  # of the client, as far as is known; None behind a unix socket
    _names_nobody = False  # a PROXY header did: what the request says is not the proxy's word
    _held: Refusal | None = None  # for a request that is not for a page
    _is_forwarded = False  # the request's word was believed
    _before_request: bytes | None = None  # what came of a PROXY header that is awaited

    def arrived(self, peer: IAddress) -> None:
        """Count the connection in, and find out where it comes from."""
        house = self.factory.house
        if house.turnstile.is_full:
            fields = {"max_connections": house.turnstile.max_connections, "remedy": _MORE_ROOM}
            house.reporter.state("server is full", fields)
        if isinstance(peer, IPv4Address | IPv6Address):
            self._host = peer.host
        try:
            self._ticket = house.turnstile.enter()
        except Refusal as refusal:
            if not self._may_ask():
                raise
            self._held = refusal
        if not self.factory.expects_proxy_header:
            self._belongs_to(self._host)
        elif self._host in house.proxies:
            self._before_request = b""
        else:
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                "this port is for proxies, and yours is not known",
                label="unknown-proxy",
            )

    def _may_ask(self) -> bool:
        """Whether the request is awaited of one who is not let in: it may ask how the server is."""
        house = self.factory.house
        is_near = house.site is not None and self._host in house.site.allowed
        return is_near and not self.factory.expects_proxy_header

    def page_host(self) -> str | None:
        """The client's, as a PROXY header has it; one that names nobody is from nowhere."""
        return "" if self._names_nobody else self._host

    def before_request(self, data: bytes) -> bytes:
        """Take the PROXY header, where one is expected."""
        if self._before_request is None:
            return data
        data = self._before_request + data
        try:
            header = read_proxy_header(data)
        except ValueError:
            raise Refusal(
                HTTPStatus.BAD_REQUEST, "this port needs a PROXY header", label="proxy-header"
            ) from None
        if header is None:
            self._before_request = data
            return b""
        self._before_request = None
        self._names_nobody = header.host is None
        if header.host is not None:
            self.address = self.peer = host_text(header.host, header.port)
            self._belongs_to(header.host)
        return data[header.length :]

    def heed_forwarding(self, head: bytes) -> None:
        """Believe the request's word about its client, if it comes from a trusted proxy.

        Raises ``Refusal``, also one that was held back for a page.
        """
        if self._held is not None:
            raise self._held
        house = self.factory.house
        header = house.settings.proxy_header
        values = field_values(head, header)
        # A request that had to wait is taken again.
        if not values or self._names_nobody or self._is_forwarded:
            return
        if self._host not in house.proxies:
            # A proxy that nobody named: all its clients count as one address. But behind a
            # PROXY header it is the client's own word.
            if self.factory.expects_proxy_header:
                return
            self._report("forwarding not believed", header, header=header, remedy="--trusted-proxy")
            return
        client = house.proxies.client_of(self._host, hops_of(header, ",".join(values)))
        if client is not None and client != self._host:
            self.address = self.peer = host_text(client, None)
            self._is_forwarded = True
            self._belongs_to(client)

    def refused(self) -> None:
        """Count the connection out: nobody shall keep others out by being refused."""
        self._drop_decision()
        if self._ticket is not None:
            self._ticket.left()

    def gone(self) -> None:
        """Count the connection out, if it was not refused before."""
        self.refused()

    def is_open_now(self) -> None:
        """Count it as half open no longer."""
        if self._ticket is not None:
            self._ticket.opened()

    def _belongs_to(self, host: str | None) -> None:
        """Hold the limits for one address against the client at ``host``."""
        self._host = host
        house = self.factory.house
        if self._ticket is not None and host is not None and host not in house.proxies:
            self._ticket.comes_from(source_of(host), house.clock.seconds())
