"""The wire protocols. Plain Python: a session needs a link and a namespace, no socket."""

from rtcsig.dialects.base import Dialect, Link, Session
from rtcsig.dialects.registry import DIALECTS, Mount, MountTable

__all__ = ["DIALECTS", "Dialect", "Link", "Mount", "MountTable", "Session"]
