"""The client that stays, at real servers of this process, over real sockets."""

from __future__ import annotations

import re

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from rtcsig.client import (
    ClientState,
    Ended,
    IdTaken,
    PeerNotFound,
    Refused,
    Replaced,
    SignallingClient,
    SignallingError,
    Stopped,
    TooMuchWaiting,
    connection,
    delivery,
    signalling,
)
from rtcsig.codes import CloseCode
from rtcsig.dialects.native import NativeSession
from rtcsig.server import SignallingService
from rtcsig.settings import Settings

_TIMEOUT_S = 20


class Heard:
    """What a client was told, and when something of it is there."""

    def __init__(self, client: SignallingClient) -> None:
        self.messages: list[tuple[str, dict]] = []
        self.presences: list[tuple[str, str]] = []
        self.states: list[ClientState] = []
        self._waiting: list[tuple[Deferred, object]] = []
        client.on_message = self._noting(self.messages)
        client.on_presence = self._noting(self.presences)
        client.on_state = self._noting(self.states)

    def _noting(self, into: list):
        def note(*what):
            into.append(what[0] if len(what) == 1 else what)
            for entry in tuple(self._waiting):
                waiting, is_there = entry
                if is_there():
                    self._waiting.remove(entry)
                    waiting.callback(None)

        return note

    def until(self, is_there) -> Deferred:
        """Fires when ``is_there`` says so."""
        waiting = Deferred()
        if is_there():
            waiting.callback(None)
        else:
            self._waiting.append((waiting, is_there))
        return waiting.addTimeout(_TIMEOUT_S, reactor)


async def serve(port=0, **settings):
    """A server that tells its peers at once when it ends."""
    settings = {"resume_grace_s": 10.0, "hold_absent_s": 0.2, "drain_s": 0.0, **settings}
    service = SignallingService(
        Settings(listen=(f"tcp:{port}:interface=127.0.0.1",), **settings), reactor
    )
    service.privilegedStartService()
    service.startService()
    return service


class House:
    """One server, and clients that are stopped in the end."""

    def __init__(self) -> None:
        self.service = None
        self.clients: list[SignallingClient] = []
        self.port = 0

    async def open(self, **settings) -> None:
        """Start the server, the next one where the former was."""
        self.service = await serve(self.port, **settings)
        self.port = self.service.ports[0].getHost().port

    async def close(self) -> None:
        """Stop the server."""
        service, self.service = self.service, None
        if service is not None:
            await service.stopService()

    def client(self, peer_id, path="/", **options):
        """A client that is not started, and what it hears; it comes back at once."""
        url = f"ws://127.0.0.1:{self.port}{path}"
        client = SignallingClient(reactor, url, peer_id, **{"chance": lambda: 0.0, **options})
        client.heard = Heard(client)
        self.clients.append(client)
        return client

    async def joined(self, *peer_ids):
        """Clients that are open."""
        clients = [self.client(peer_id) for peer_id in peer_ids]
        for client in clients:
            await client.start()
        return clients

    def links(self):
        """The server's connections."""
        return tuple(self.service.house.connections)


@pytest_twisted.async_yield_fixture
async def house(request):
    """A house whose server has the settings that the test wants."""
    house = House()
    await house.open(**getattr(request, "param", {}))
    yield house
    for client in house.clients:
        await client.stop()
    await house.close()


def serving(**settings):
    """The settings of the house's server."""
    return pytest.mark.parametrize("house", [settings], indirect=True, ids=[",".join(settings)])


def texts(client):
    """The texts that a client was sent."""
    return [message["text"] for _, message in client.heard.messages]


async def send_all(client, peer, *words):
    """Send words, and wait until all have arrived."""
    for sent in [client.send(peer, {"text": word}) for word in words]:
        await sent


@pytest_twisted.ensureDeferred
async def test_a_message(house):
    """Arrives as it was sent, with its sender, and the sender knows."""
    ann, bob = await house.joined("ann", "b/o b?")
    message = {"type": "offer", "n": [1, {"a": None}]}
    await ann.send("b/o b?", message)
    assert bob.heard.messages == [("ann", message)]
    assert ann.heard.states == [ClientState.CONNECTING, ClientState.OPEN]


@pytest_twisted.ensureDeferred
async def test_to_itself(house):
    """Why not."""
    (ann,) = await house.joined("ann")
    await ann.send("ann", {"text": "1"})
    assert texts(ann) == ["1"]


@pytest_twisted.ensureDeferred
async def test_many_messages(house):
    """More than are under way at once; in order."""
    ann, bob = await house.joined("ann", "bob")
    words = [str(number) for number in range(delivery.WINDOW * 3)]
    await send_all(ann, "bob", *words)
    assert texts(bob) == words


@pytest_twisted.ensureDeferred
async def test_before_it_is_open(house):
    """A message waits for the connection."""
    ann, bob = house.client("ann"), house.client("bob")
    sent = ann.send("bob", {"text": "1"})
    await bob.start()
    await ann.start()
    await sent
    assert texts(bob) == ["1"]


@pytest_twisted.ensureDeferred
async def test_nobody_there(house):
    """The sender is told, and later messages are not held up by it."""
    (ann,) = await house.joined("ann")
    with pytest.raises(PeerNotFound) as told:
        await ann.send("bob", {"text": "1"})
    assert (told.value.peer, told.value.code) == ("bob", "peer-not-found")
    (bob,) = await house.joined("bob")
    await send_all(ann, "bob", "2", "3")
    assert texts(bob) == ["2", "3"]


@pytest_twisted.ensureDeferred
async def test_a_lost_connection(house):
    """It is back with its token, and gets what came meanwhile first."""
    ann, bob = await house.joined("ann", "bob")
    await send_all(ann, "bob", "1")
    for link in house.links():
        if link._peer_id == "bob":
            link.transport.abortConnection()
    sent = ann.send("bob", {"text": "2"})
    await sent
    assert texts(bob) == ["1", "2"]
    assert bob.heard.states.count(ClientState.OPEN) == 2


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_restarted(house):
    """Messages that were sent meanwhile arrive once both are back, in order."""
    ann, bob = await house.joined("ann", "bob")
    await send_all(ann, "bob", "1")
    await house.close()
    sent = [ann.send("bob", {"text": text}) for text in "234"]
    await house.open(hold_absent_s=10.0)
    for each in sent:
        await each
    assert texts(bob) == ["1", "2", "3", "4"]


@pytest_twisted.ensureDeferred
async def test_presence(house):
    """Where a peer is now, and each change; over a restart, too."""
    (ann,) = await house.joined("ann")
    ann.watch("bob", "cid")
    (bob,) = await house.joined("bob")
    await ann.heard.until(lambda: ("bob", "here") in ann.heard.presences)
    ann.unwatch("cid")
    await bob.stop()
    await ann.heard.until(lambda: len(ann.heard.presences) == 4)
    states = [state for peer, state in ann.heard.presences if peer == "bob"]
    assert states == ["absent", "here", "absent"]
    await house.close()
    await house.open()
    await ann.heard.until(lambda: len(ann.heard.presences) == 5)
    assert ann.heard.presences[-1] == ("bob", "absent")


@pytest_twisted.ensureDeferred
async def test_an_id_that_is_taken(house):
    """The second one stops, and says why; the first one never noticed."""
    ann, other = (await house.joined("ann"))[0], house.client("ann")
    with pytest.raises(IdTaken):
        await other.start()
    assert (other.state, ann.state) == (ClientState.STOPPED, ClientState.OPEN)
    assert isinstance(other.error, IdTaken)
    with pytest.raises(IdTaken):
        await other.send("bob", {})


@pytest_twisted.ensureDeferred
async def test_one_that_waits_for_the_id(house):
    """Has it when the other has left."""
    (ann,) = await house.joined("ann")
    other = house.client("ann", wait_for_id=True, chance=lambda: 0.1)
    started = other.start()
    await other.heard.until(lambda: ClientState.WAITING in other.heard.states)
    assert other.retry_s == 0.05
    await ann.stop()
    await started


@serving(same_id="replace")
@pytest_twisted.ensureDeferred
async def test_one_that_is_replaced(house):
    """Stops: the two would replace each other for ever."""
    (ann,) = await house.joined("ann")
    sent = ann.send("nobody", {})
    (other,) = await house.joined("ann")
    with pytest.raises(Replaced):
        await sent
    assert other.state is ClientState.OPEN


@pytest_twisted.ensureDeferred
async def test_a_close_that_means_stop(house):
    """It does not come back to do the same again."""
    (ann,) = await house.joined("ann")
    sent = ann.send("nobody", {})
    house.links()[0].close(CloseCode.POLICY_VIOLATION, "why")
    with pytest.raises(Ended) as ended:
        await sent
    assert (ended.value.code, ended.value.reason) == (CloseCode.POLICY_VIOLATION, "why")


@serving(mount=(("/elsewhere", "datachannel"),))
@pytest_twisted.ensureDeferred
async def test_a_refusal(house):
    """With the server's own words."""
    with pytest.raises(Refused) as refused:
        await house.client("ann").start()
    assert (refused.value.status, refused.value.reason) == (
        404,
        "nothing is mounted under this path",
    )


@serving(max_connections=1)
@pytest_twisted.ensureDeferred
async def test_a_server_that_is_full(house):
    """It comes back after the seconds of Retry-After, at least."""
    (ann,) = await house.joined("ann")
    bob = house.client("bob")
    started = bob.start()
    await bob.heard.until(lambda: bob.state is ClientState.WAITING)
    assert bob.retry_s >= 1
    await ann.stop()
    await bob.stop()
    with pytest.raises(Stopped):
        await started


@pytest_twisted.ensureDeferred
async def test_the_hint_of_a_drain(house):
    """It comes back when it was told to."""
    (ann,) = await house.joined("ann")
    house.links()[0].close(CloseCode.SERVICE_RESTART, "the server ends; retry_after_s=77")
    await ann.heard.until(lambda: ann.state is ClientState.WAITING)
    assert ann.retry_s == 77


@pytest_twisted.ensureDeferred
async def test_nobody_listens(house):
    """It tries again until somebody does."""
    port, house.port = house.port, house.port
    await house.close()
    ann = house.client("ann", chance=lambda: 0.1)
    started = ann.start()
    await ann.heard.until(lambda: ann.heard.states.count(ClientState.WAITING) == 2)
    house.port = port
    await house.open()
    await started


@pytest_twisted.ensureDeferred
async def test_a_callback_that_fails(house, logged):
    """Is the program's fault, and costs nothing else."""
    ann, bob = await house.joined("ann", "bob")
    bob.on_message = lambda sender, message: 1 // 0
    await ann.send("bob", {"text": "1"})
    assert bob.state is ClientState.OPEN
    assert len(logged.errors()) == 1


@pytest_twisted.ensureDeferred
async def test_too_much(house):
    """The program is told at once."""
    ann = house.client("ann")
    sent = [ann.send("bob", {}) for _ in range(delivery.MAX_UNSENT)]
    with pytest.raises(TooMuchWaiting):
        await ann.send("bob", {})
    await ann.stop()
    for each in sent:
        with pytest.raises(Stopped):
            await each
    with pytest.raises(Stopped):
        await ann.send("bob", {})


@pytest_twisted.ensureDeferred
async def test_what_is_the_clients(house):
    """Is not the program's to say; and a client is started once."""
    (ann,) = await house.joined("ann")
    for name in ("id", "rtcsig"):
        with pytest.raises(ValueError, match="id and rtcsig"):
            ann.send("bob", {name: 1})
    for value in (object(), float("nan")):
        with pytest.raises((TypeError, ValueError)):
            ann.send("bob", {"a": value})
    with pytest.raises(ValueError, match="1000"):
        ann.watch(*map(str, range(1001)))
    with pytest.raises(Stopped):
        ann.start()


@pytest_twisted.ensureDeferred
async def test_one_stream_for_each_peer(house):
    """As long as it is used: what is done is remembered by its receiver."""
    ann, bob = await house.joined("ann", "bob")
    await send_all(ann, "bob", "1")
    stream = ann._outgoing["bob"].stream
    await send_all(ann, "bob", "2")
    assert ann._outgoing["bob"].stream == stream
    assert ann._outgoing["bob"]._last == 2
    assert texts(bob) == ["1", "2"]


@pytest_twisted.ensureDeferred
async def test_streams_that_are_done_are_forgotten(house, monkeypatch):
    """When there are many; those that wait are not."""
    monkeypatch.setattr(signalling, "_MAX_IDLE_STREAMS", 3)
    ann, *_ = await house.joined("ann", "b", "c")
    waiting = ann.send("nobody", {})
    await ann.send("b", {})
    await ann.send("c", {})
    await ann.send("ann", {})
    assert set(ann._outgoing) == {"nobody", "ann"}
    with pytest.raises(PeerNotFound):
        await waiting


@pytest_twisted.ensureDeferred
async def test_what_was_lost_on_its_way_is_sent_again(house, monkeypatch):
    """Over the same connection, when nothing is heard of it."""
    monkeypatch.setattr(delivery, "_FIRST_TIMEOUT_S", 0.1)
    ann, bob = await house.joined("ann", "bob")
    lost = Deferred()
    bob._connection._on_message = lost.callback
    sent = [ann.send("bob", {"text": "1"})]
    await lost
    bob._connection._on_message = bob._take
    sent.append(ann.send("bob", {"text": "2"}))
    for each in sent:
        await each
    assert texts(bob) == ["1", "2"]


@pytest.mark.parametrize("url", ["gaga:", "http://localhost/", "ws://localhost/?a=1"])
def test_what_is_no_url(url):
    """Is said at once."""
    with pytest.raises(ValueError, match=re.escape(url)):
        SignallingClient(reactor, url, "ann")


@pytest_twisted.ensureDeferred
async def test_a_stop_while_it_waits(house):
    """Nothing is left of it."""
    await house.close()
    ann = house.client("ann", chance=lambda: 1.0)
    started = ann.start()
    await ann.heard.until(lambda: ann.state is ClientState.WAITING)
    await ann.stop()
    await ann.stop()
    with pytest.raises(Stopped):
        await started


@pytest_twisted.ensureDeferred
async def test_a_stop_while_it_connects(house):
    """Nothing is left of it."""
    ann = house.client("ann")
    started = ann.start()
    await ann.stop()
    with pytest.raises(Stopped):
        await started


@serving(mount=(("/", "echo"),))
@pytest_twisted.ensureDeferred
async def test_a_server_that_has_nothing_to_offer(house, monkeypatch):
    """Is served without acknowledgements, as soon as it says something, or is open for a while."""
    monkeypatch.setattr(connection, "_WELCOME_S", 0.1)
    (ann,) = await house.joined("ann")
    ann.watch("bob")
    await ann.send("bob", {"text": "1"})
    await ann.heard.until(lambda: ann.heard.messages)
    assert ann.heard.messages == [("bob", {"text": "1"})]


@pytest_twisted.ensureDeferred
async def test_a_server_that_says_nothing(house, monkeypatch):
    """Neither at the opening nor later: it is given up, and tried again."""
    silent = reactor.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
    house.port = silent.getHost().port
    ann = house.client("ann")
    monkeypatch.setattr(connection, "_OPENING_S", 0.1)
    started = ann.start()
    await ann.heard.until(lambda: ann.heard.states.count(ClientState.CONNECTING) == 3)
    await ann.stop()
    with pytest.raises(Stopped):
        await started
    await silent.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_message_that_looks_like_an_error(house):
    """Is one: what a program calls its messages is its own matter, also those to itself."""
    ann, bob = await house.joined("ann", "bob")
    error = {"type": "error", "code": "busy", "text": "1"}
    for peer in ("bob", "ann"):
        await ann.send(peer, error)
    await send_all(ann, "bob", "2")
    assert bob.heard.messages == [("ann", error), ("ann", {"text": "2"})]
    assert ann.heard.messages == [("ann", error)]


@pytest_twisted.ensureDeferred
async def test_a_message_that_python_may_not_be_able_to_read(house):
    """Costs itself at most: the server passes on what is nested deeper than some json likes."""
    ann, bob = await house.joined("ann", "bob")
    deep = b'{"id":"bob","x":%b%b}' % (b"[" * 1000, b"]" * 1000)
    ann._connection._protocol.sendMessage(deep)
    await send_all(ann, "bob", "1")
    assert bob.heard.messages[-1] == ("ann", {"text": "1"})
    assert bob.heard.states == [ClientState.CONNECTING, ClientState.OPEN]


@pytest_twisted.ensureDeferred
async def test_a_message_that_the_server_cannot_hold(house):
    """Has its outcome all the same: half an emoji, and a number of forty digits."""
    (ann,) = await house.joined("ann")
    for odd in ("\ud83d", 10**40):
        with pytest.raises(PeerNotFound):
            await ann.send("nobody", {"odd": odd})


@pytest_twisted.ensureDeferred
async def test_a_stream_with_a_name_that_is_too_long(house):
    """Is none of ours: its messages have no number."""
    ann, bob = await house.joined("ann", "bob")
    number = {"stream": "s" * 65, "n": 1, "base": 1}
    for _ in range(2):
        ann._connection.send({"id": "bob", "text": "1", "rtcsig": number})
    await send_all(ann, "bob", "2")
    assert texts(bob) == ["1", "1", "2"]


@serving(mount=(("/", "echo"),))
@pytest_twisted.ensureDeferred
async def test_all_that_waits_is_written_in_order(house, monkeypatch):
    """Also more than a window, and what is sent when the first is known to be written."""
    monkeypatch.setattr(connection, "_WELCOME_S", 0.1)
    ann = house.client("ann")
    words = [str(number) for number in range(2 * delivery.WINDOW)]
    sent = [ann.send("ann", {"text": word}) for word in words]
    sent[0].addCallback(lambda _: ann.send("ann", {"text": "last"}))
    await ann.start()
    for each in sent:
        await each
    await ann.heard.until(lambda: len(ann.heard.messages) > len(words))
    assert texts(ann) == [*words, "last"]


@pytest_twisted.ensureDeferred
async def test_a_welcome_that_comes_late(house, monkeypatch):
    """Is heeded, and expected the next time: a slow server is no old one."""
    monkeypatch.setattr(connection, "_WELCOME_S", 0.05)
    say, late = NativeSession._say, []

    def say_late(session, kind, **members):
        if kind == "welcome" and not late:
            late.append(lambda: say(session, kind, **members))
        else:
            say(session, kind, **members)

    monkeypatch.setattr(NativeSession, "_say", say_late)
    ann, bob = await house.joined("ann", "bob")
    assert not ann._token
    late[0]()
    await ann.send("ann", {"text": "what comes after it"})
    await ann.heard.until(lambda: ann.heard.messages)
    token = ann._token
    assert token
    await send_all(ann, "bob", "1")
    house.links()[0].transport.abortConnection()
    house.links()[1].transport.abortConnection()
    await ann.heard.until(lambda: ann.heard.states.count(ClientState.OPEN) == 2)
    assert ann._token == token
    await send_all(ann, "bob", "2")
    assert texts(bob) == ["1", "2"]


@pytest.mark.parametrize("peer", ["", "x" * 129, "a\n", "\ud83d", 7])
def test_what_no_peer_is_called(peer):
    """Is said at once, and neither watched nor claimed."""
    with pytest.raises(ValueError, match="a peer id has 1 to 128 characters"):
        SignallingClient(reactor, "ws://127.0.0.1/", peer)
    ann = SignallingClient(reactor, "ws://127.0.0.1/", "ann")
    with pytest.raises(ValueError, match="a peer id has 1 to 128 characters"):
        ann.watch("bob", peer)
    assert not ann._watched


@pytest_twisted.ensureDeferred
async def test_as_many_peers_as_can_be_watched(house):
    """With the longest names that there are: they are asked for in pieces."""
    (ann,) = await house.joined("ann")
    names = [f"{number:03}" + "\U0001f600" * 125 for number in range(1000)]
    ann.watch(*names)
    await ann.heard.until(lambda: len(ann.heard.presences) == len(names))
    assert ann.state is ClientState.OPEN


@pytest_twisted.ensureDeferred
async def test_a_server_that_has_nothing_to_say_for_long(house, monkeypatch):
    """Is asked for a sign of life, and not given up while it answers."""
    monkeypatch.setattr(connection, "_SILENCE_S", 2.0)
    (ann,) = await house.joined("ann")
    protocol = ann._connection._protocol
    pongs = []
    waiting = Deferred()

    def pong(payload):
        pongs.append(payload)
        if len(pongs) == 2:
            waiting.callback(None)

    protocol._onPong = pong
    await waiting.addTimeout(_TIMEOUT_S, reactor)
    assert ann.heard.states == [ClientState.CONNECTING, ClientState.OPEN]


@pytest.mark.parametrize("host", ["\x80", "\u2603" * 70])
@pytest_twisted.ensureDeferred
async def test_a_host_that_cannot_be(host):
    """Stops the client: it will not get any better."""
    client = SignallingClient(reactor, f"ws://{host}/", "ann")
    with pytest.raises(SignallingError):
        await client.start()
    assert client.state is ClientState.STOPPED


@pytest.mark.parametrize(
    "line", ["HTTP/1.1 ² is a digit, too", "HTTP/1.1 101 but no more", "HTTP/1.1", "no HTTP", ""]
)
@pytest_twisted.ensureDeferred
async def test_a_server_that_says_nonsense(house, line):
    """Is tried again, like one that breaks off."""

    class Odd(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(f"{line}\r\nA: b\r\n\r\n".encode("latin-1"))

    odd = reactor.listenTCP(0, Factory.forProtocol(Odd), interface="127.0.0.1")
    house.port = odd.getHost().port
    ann = house.client("ann", chance=lambda: 0.0)
    started = ann.start()
    await ann.heard.until(lambda: ann.heard.states.count(ClientState.CONNECTING) == 2)
    await ann.stop()
    with pytest.raises(Stopped):
        await started
    await odd.stopListening()
