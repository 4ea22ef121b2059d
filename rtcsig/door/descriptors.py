"""How many file descriptors this process uses, how many it may, and what that allows."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

__all__ = [
    "MAX_BEYOND",
    "capacity",
    "descriptor_limit",
    "descriptors_in_use",
    "raise_descriptor_limit",
]

_FOLDERS = ("/proc/self/fd", "/dev/fd")
# Connections beyond the most that are served: they are being told so.
MAX_BEYOND = 64
# Listeners, the log, the reactor's own, and whatever a library opens.
_FOR_OURSELVES = 64
_NO_LIMIT = 1 << 30  # the largest value of fs.nr_open that Linux allows, about


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
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _NO_LIMIT if limit == resource.RLIM_INFINITY else limit


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one, as far as the kernel lets us; returns the soft one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some kernels have a lower limit of their own, or none that is a number.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return descriptor_limit()


def capacity(limit: int, wanted: int) -> int:
    """How many connections a limit of descriptors holds; ``wanted``, if that is not 0.

    Raises ``ValueError`` when it cannot hold them.
    """
    most = limit - MAX_BEYOND - _FOR_OURSELVES
    if most < max(wanted, 1):
        needed = max(wanted, 1) + MAX_BEYOND + _FOR_OURSELVES
        raise ValueError(
            f"the process may have {limit} descriptors, and {max(wanted, 1)} connections "
            f"need {needed}: raise its limit (ulimit -n, LimitNOFILE)"
        )
    return wanted or most
