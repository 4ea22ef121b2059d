"""The wire protocols. Plain Python: a session needs a link and a namespace, no socket."""

from rtcsig.dialects.base import Contest, Dialect, InDoubt, Link, Session
from rtcsig.dialects.registry import DIALECTS, Mount, MountTable

__all__ = ["DIALECTS", "Contest", "Dialect", "InDoubt", "Link", "Mount", "MountTable", "Session"]
