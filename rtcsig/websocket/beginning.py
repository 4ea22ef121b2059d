"""What every connection begins with, as attributes of its class.

Autobahn sets all of this on each connection anew. Set once, it takes no time
when a connection is made and no memory while it is idle; an instance has only
what differs. ``tests/websocket/test_beginning.py`` holds it against what
Autobahn sets.
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats

from rtcsig.settings import Settings
from rtcsig.websocket.extensions import accept_first_offer
from rtcsig.websocket.unheard import Unawaited

__all__ = ["beginning_of"]


def beginning_of(settings: Settings) -> dict[str, Any]:
    """Autobahn's options by our settings, and the state in which a connection begins."""
    return {**_options(settings), **_state()}


def _options(settings: Settings) -> dict[str, Any]:
    """Autobahn's options. Its timers are off: ours do not round and can be cancelled."""
    return {
        "CONFIG_ATTRS": (),
        "logOctets": False,
        "logFrames": False,
        "trackTimings": False,
        "versions": (13,),
        "webStatus": False,
        "utf8validateIncoming": True,
        "requireMaskedClientFrames": True,
        "maskServerFrames": False,
        "applyMask": True,
        "maxFramePayloadSize": settings.max_message_bytes,
        "maxMessagePayloadSize": settings.max_message_bytes,
        "autoFragmentSize": 0,
        "failByDrop": False,
        "echoCloseCodeReason": False,
        "openHandshakeTimeout": 0,
        "closeHandshakeTimeout": 0,
        "autoPingInterval": 0,
        "autoPingTimeout": 0,
        "autoPingSize": 12,
        "autoPingRestartOnAnyTraffic": False,
        "perMessageCompressionAccept": staticmethod(accept_first_offer),
        "serveFlashSocketPolicy": False,
        "flashSocketPolicy": "",
        "maxConnections": 0,
        "trustXForwardedFor": 0,
    }


def _state() -> dict[str, Any]:
    """A connection to which nothing has happened yet.

    ``utf8validator`` is missing: it belongs to one connection, which makes it when
    it is used. The lists of what is sent in pieces can stay empty: nothing is.
    """
    return {
        "is_open": Unawaited(),
        "is_closed": Unawaited(),
        "_transport_details": None,
        "_perMessageCompress": None,
        "trackedTimings": None,
        # Nobody reads them, so one for all is enough.
        "trafficStats": TrafficStats(),
        "state": WebSocketServerProtocol.STATE_CONNECTING,
        "send_state": WebSocketServerProtocol.SEND_STATE_GROUND,
        "data": b"",
        "send_queue": (),
        "triggered": False,
        "websocket_version": 13,
        "inside_message": False,
        "current_frame": None,
        "wasMaxFramePayloadSizeExceeded": False,
        "wasMaxMessagePayloadSizeExceeded": False,
        "closedByMe": False,
        "failedByMe": False,
        "droppedByMe": False,
        "wasClean": False,
        "wasNotCleanReason": None,
        "wasServerConnectionDropTimeout": False,
        "wasOpenHandshakeTimeout": False,
        "wasCloseHandshakeTimeout": False,
        "wasServingFlashSocketPolicyFile": False,
        "localCloseCode": None,
        "localCloseReason": None,
        "remoteCloseCode": None,
        "remoteCloseReason": None,
        "openHandshakeTimeoutCall": None,
        "closeHandshakeTimeoutCall": None,
        "autoPingTimeoutCall": None,
        "autoPingPending": None,
        "autoPingPendingCall": None,
        "autoPingPendingSeq": 0,
        "autoPingPendingSent": None,
    }
