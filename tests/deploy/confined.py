"""``python confined.py RULES COMMAND...``: run a command with what a unit forbids forbidden.

RULES is JSON: ``calls`` has the system calls that are permitted, ``families`` the address
families of sockets, ``write_execute`` whether memory may be written and executed. It is done by
the kernel (seccomp) and with the library that systemd does it with, so that what fails here
fails there.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import socket
import sys

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EQUAL, _MASKED_EQUAL = 4, 7
_MOST_FAMILIES = 64
_SHM_EXEC = 0o100000
_THIRD = 2  # argument, where all of these have what memory may be used for


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


_library = ctypes.CDLL("libseccomp.so.2")
_library.seccomp_init.restype = ctypes.c_void_p


def _made(default: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(_library.seccomp_init(ctypes.c_uint32(default)))


def _load(rules: ctypes.c_void_p) -> None:
    status = _library.seccomp_load(rules)
    assert status == 0, os.strerror(-status)


def _rule(rules: ctypes.c_void_p, action: int, name: str, *where: _Comparison) -> None:
    """Add a rule for a call of this name, if this machine has one."""
    number = _library.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:
        comparisons = (_Comparison * len(where))(*where)
        status = _library.seccomp_rule_add_array(
            rules, ctypes.c_uint32(action), number, len(where), comparisons
        )
        assert status == 0, (name, os.strerror(-status))


def _forbid_families_but(families: list[str]) -> None:
    rules = _made(_ALLOW)
    permitted = {int(getattr(socket, name)) for name in families}
    for family in set(range(_MOST_FAMILIES)) - permitted:
        where = _Comparison(0, _EQUAL, family)
        _rule(rules, _ERRNO | errno.EAFNOSUPPORT, "socket", where)
    _load(rules)


def _forbid_write_execute() -> None:
    rules = _made(_ALLOW)
    for name, bits in (
        ("mmap", mmap.PROT_WRITE | mmap.PROT_EXEC),
        ("mprotect", mmap.PROT_EXEC),
        ("pkey_mprotect", mmap.PROT_EXEC),
        ("shmat", _SHM_EXEC),
    ):
        where = _Comparison(_THIRD, _MASKED_EQUAL, bits, bits)
        _rule(rules, _ERRNO | errno.EPERM, name, where)
    _load(rules)


def _forbid_all_but(calls: list[str]) -> None:
    rules = _made(_ERRNO | errno.EPERM)
    for name in calls:
        _rule(rules, _ALLOW, name)
    _load(rules)


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    _forbid_families_but(wanted["families"])
    if not wanted["write_execute"]:
        _forbid_write_execute()
    _forbid_all_but(wanted["calls"])
    os.execv(sys.argv[2], sys.argv[2:])
