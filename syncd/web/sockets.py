"""Where the daemon listens: its unix socket, and a TCP port."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from syncd.core.errors import SyncdError

MODE: Final = 0o660
_BACKLOG: Final = 1024


class CannotListen(SyncdError):
    """The daemon cannot listen where it should."""


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Name a socket in the block so that the kernel, which takes 108 bytes at the most, takes it however long it is."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen_unix(path: Path) -> socket.socket:
    """Listen at a path that its owner and group may use; what a dead daemon left there is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as short:
            _make_room(short, path)
            os.fchmod(listener.fileno(), MODE)  # from the first moment on, and below what the umask leaves
            listener.bind(short)
            Path(short).chmod(MODE)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot(str(path), error, "choose another place: http.socket") from error
    except CannotListen:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def remove(path: Path) -> None:
    """Remove a socket where nobody listens; another daemon's may stand there by now."""
    try:
        with short_path(path) as short:
            if not _answers(short):
                Path(short).unlink(missing_ok=True)
    except OSError:
        return  # it is gone, and so may be its folder


def listen_tcp(host: str, port: int) -> socket.socket:
    """Listen at an address; port 0 takes any free one."""
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot(where, error, "choose another address: http.listen") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot(where, error, 'choose another address, or "" for the socket alone: http.listen') from error
    listener.setblocking(False)
    return listener


def split(address: str) -> tuple[str, int]:
    """Part ``HOST:PORT``; the brackets of an IPv6 address go."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _make_room(short: str, path: Path) -> None:
    try:
        found = Path(short).lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise CannotListen("something that is no socket stands there", where=str(path), hint="move it out of the way")
    if _answers(short):
        raise CannotListen(
            "another daemon answers there", where=str(path), hint="stop it, or give this one its own http.socket"
        )
    Path(short).unlink()


def _answers(short: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        try:
            client.connect(short)
        except BlockingIOError:  # its backlog is full
            return True
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True


def _cannot(where: str, error: OSError, hint: str) -> CannotListen:
    reason = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    return CannotListen(f"the daemon cannot listen: {reason}", where=where, hint=hint)
