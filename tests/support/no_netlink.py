"""Run a program that may open no netlink socket, as the service's unit has it: ``no_netlink.py PROGRAM ARGUMENTS…``.

A seccomp filter, as systemd makes for RestrictAddressFamilies; for x86-64.
"""

import ctypes
import os
import struct
import sys
from typing import Final

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
SOCKET, AF_NETLINK, EAFNOSUPPORT = 41, 16, 97
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
PROGRAM: Final = (
    (LOAD, 0, 0, 0),  # the system call's number
    (EQUAL, 0, 3, SOCKET),
    (LOAD, 0, 0, 16),  # its first argument
    (EQUAL, 0, 1, AF_NETLINK),
    (RETURN, 0, 0, 0x0005_0000 | EAFNOSUPPORT),
    (RETURN, 0, 0, 0x7FFF_0000),
)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_void_p))


def main() -> None:
    code = b"".join(struct.pack("HBBI", *each) for each in PROGRAM)
    kept = ctypes.create_string_buffer(code, len(code))
    made = _Filter(len(PROGRAM), ctypes.addressof(kept))
    library = ctypes.CDLL(None)
    assert library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    assert library.prctl(SECCOMP, FILTER, ctypes.byref(made), 0, 0) == 0
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
