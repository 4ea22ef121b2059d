"""An id belongs to its newest claim, and an older claim's end takes nothing from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.hub import Hub, Namespace


class Recorder:
    """A member that keeps what it gets."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.displacements = 0

    def deliver(self, message: bytes) -> bool:
        """Keep a message."""
        self.messages.append(message)
        return True

    def displaced(self) -> None:
        """Count."""
        self.displacements += 1


class Leaver(Recorder):
    """A member that gives its id back when it hears that it lost it, as connections do."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__()
        self._namespace = namespace

    def displaced(self) -> None:
        """Count and leave."""
        super().displaced()
        self._namespace.release("a", self)


@pytest.fixture
def namespace():
    """An empty namespace."""
    return Namespace("/")


def test_a_message_reaches_the_holder_only(namespace):
    """Routing finds one member, by its id."""
    ann, bob = Recorder(), Recorder()
    namespace.claim("a", ann)
    namespace.claim("b", bob)
    assert namespace.route("b", b"hello")
    assert (ann.messages, bob.messages) == ([], [b"hello"])


def test_nobody_gets_what_is_for_nobody(namespace):
    """Routing to an id that nobody holds says so."""
    ann = Recorder()
    namespace.claim("a", ann)
    assert not namespace.route("b", b"hello")
    assert not ann.messages


def test_a_newer_claim_has_the_id(namespace):
    """The former holder is told once, and gets nothing any more."""
    older, newer = Recorder(), Recorder()
    namespace.claim("a", older)
    namespace.claim("a", newer)
    namespace.route("a", b"hello")
    assert (older.displacements, older.messages) == (1, [])
    assert (newer.displacements, newer.messages) == (0, [b"hello"])
    assert len(namespace) == 1


def test_the_end_of_an_older_claim_takes_nothing(namespace):
    """A release after the newer claim is without effect."""
    older, newer = Recorder(), Recorder()
    namespace.claim("a", older)
    namespace.claim("a", newer)
    namespace.release("a", older)
    assert namespace.route("a", b"hello")
    assert newer.messages == [b"hello"]


def test_a_member_may_leave_while_it_is_displaced(namespace):
    """The id is the newer member's before the older one hears of it."""
    older, newer = Leaver(namespace), Recorder()
    namespace.claim("a", older)
    namespace.claim("a", newer)
    assert older.displacements == 1
    assert namespace.route("a", b"hello")
    assert newer.messages == [b"hello"]


def test_a_second_claim_of_the_holder_displaces_nobody(namespace):
    """Who claims its own id again keeps it."""
    ann = Recorder()
    namespace.claim("a", ann)
    namespace.claim("a", ann)
    assert ann.displacements == 0
    assert "a" in namespace


def test_release_frees_the_id(namespace):
    """After it nobody is there, and another may come."""
    ann = Recorder()
    namespace.claim("a", ann)
    namespace.release("a", ann)
    namespace.release("a", ann)
    assert "a" not in namespace
    assert len(namespace) == 0
    assert not namespace.route("a", b"hello")


def test_namespaces_do_not_see_each_other():
    """The same id is another peer elsewhere."""
    hub = Hub()
    ann, other = Recorder(), Recorder()
    hub.namespace("/x").claim("a", ann)
    hub.namespace("/y").claim("a", other)
    hub.namespace("/y").route("a", b"hello")
    assert (ann.messages, other.messages) == ([], [b"hello"])
    assert ann.displacements == 0


def test_a_name_stands_for_one_namespace():
    """Who asks for the same name meets the same peers."""
    hub = Hub()
    assert hub.namespace("/x") is hub.namespace("/x")
    assert hub.namespace("/x").name == "/x"


@given(
    st.lists(
        st.tuples(st.sampled_from(["claim", "release"]), st.sampled_from("ab"), st.integers(0, 3))
    )
)
def test_whatever_comes_the_newest_claim_holds(steps):
    """After any steps the holder of an id is its newest claimant that has not left."""
    namespace = Namespace("/")
    members = [Recorder() for _ in range(4)]
    holders: dict[str, Recorder] = {}
    for step, peer_id, number in steps:
        member = members[number]
        getattr(namespace, step)(peer_id, member)
        if step == "claim":
            holders[peer_id] = member
        elif holders.get(peer_id) is member:
            del holders[peer_id]
    assert len(namespace) == len(holders)
    for peer_id in "ab":
        assert namespace.route(peer_id, peer_id.encode()) is (peer_id in holders)
    for member in members:
        held = [peer_id.encode() for peer_id in "ab" if holders.get(peer_id) is member]
        assert member.messages == held
