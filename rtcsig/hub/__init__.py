"""Who is here, and where a message goes. Plain Python: no socket, no reactor."""

from rtcsig.hub.registry import Hub, Member, Namespace

__all__ = ["Hub", "Member", "Namespace"]
