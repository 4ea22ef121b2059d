"""Who is here, who may be back, and where a message goes. Plain Python: no socket, no reactor."""

from rtcsig.hub.contest import Contest, InDoubt, Taken
from rtcsig.hub.registry import Hub, Namespace
from rtcsig.hub.terms import Code, Member, SameId, State, Terms, Timers

__all__ = [
    "Code",
    "Contest",
    "Hub",
    "InDoubt",
    "Member",
    "Namespace",
    "SameId",
    "State",
    "Taken",
    "Terms",
    "Timers",
]
