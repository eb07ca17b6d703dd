"""Telling the service manager how the process stands: sd_notify(3), without its library."""

import socket
from collections.abc import Mapping
from typing import Final

_PATIENCE: Final = 1.0
"""Seconds: a service manager that takes no message must not hold up the daemon."""


def notify(environment: Mapping[str, str], *assignments: str) -> None:
    """Send assignments (``READY=1``) to ``$NOTIFY_SOCKET``; where there is none, nothing happens.

    Raise OSError where nobody takes them.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    place = f"\0{address[1:]}" if address.startswith("@") else address  # @: a socket that has no file
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as messenger:
        messenger.settimeout(_PATIENCE)
        messenger.sendto("\n".join(assignments).encode(), place)
