"""How many file descriptors this process uses, and how many it may."""

from __future__ import annotations

import resource
from pathlib import Path

__all__ = ["descriptor_limit", "descriptors_in_use"]

_FOLDERS = ("/proc/self/fd", "/dev/fd")


def descriptors_in_use() -> int | None:
    """Open descriptors of this process; None where that cannot be found out.

    Reading the folder needs a descriptor itself: when there is none left, the
    answer is the limit.
    """
    for folder in _FOLDERS:
        try:
            return sum(1 for _ in Path(folder).iterdir()) - 1
        except FileNotFoundError:
            continue
        except OSError:
            return descriptor_limit()
    return None


def descriptor_limit() -> int:
    """The soft limit (RLIMIT_NOFILE) in force now."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
