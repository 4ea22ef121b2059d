"""Programs of the machine, also those that only an administrator has on the PATH."""

from __future__ import annotations

import os
import shutil

__all__ = ["found"]

# Where Debian has the servers.
_MORE = "/usr/sbin"


def found(tool: str) -> str | None:
    """Where a program is, or None."""
    return shutil.which(tool, path=os.pathsep.join((os.environ.get("PATH", os.defpath), _MORE)))
