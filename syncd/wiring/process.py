"""What this process is and draws by itself: its name, its clock, its random ids."""

import os
import secrets
import socket
import time


def this_process() -> str:
    """Name this process to people."""
    return f"{socket.gethostname()} (pid {os.getpid()})"


def boot_time() -> float:
    """Seconds since boot, suspends included: a lease must not be thought alive because the machine slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def draw_id() -> str:
    """Draw a random id of 64 bits."""
    return secrets.token_hex(8)
