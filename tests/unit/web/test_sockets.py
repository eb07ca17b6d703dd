"""Where the daemon listens."""

import socket
from pathlib import Path

import pytest

from syncd.web.sockets import CannotListen, listen_tcp, listen_unix, remove, short_path, split
from tests.support.api import connect


@pytest.fixture(params=["short", "far below" + "/x" * 100])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A place for a socket; one of them is longer than the kernel takes."""
    folder: Path = tmp_path / request.param
    folder.mkdir(parents=True)
    return folder / "syncd.sock"


def test_owner_and_group_may_use_the_socket_however_long_its_path(path: Path) -> None:
    with listen_unix(path) as listener:
        assert path.stat().st_mode & 0o777 == 0o660
        with connect(path) as client:
            client.sendall(b"x")
            listener.setblocking(True)
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.recv(1) == b"x"


def test_what_a_dead_daemon_left_is_replaced_and_a_live_one_is_not(path: Path) -> None:
    listen_unix(path).close()
    assert path.exists()
    with listen_unix(path):
        with pytest.raises(CannotListen, match="another daemon answers there"):
            listen_unix(path)
        remove(path)
        assert path.exists(), "somebody listens"
    remove(path)
    assert not path.exists()
    remove(path)


def test_what_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(CannotListen, match="no socket"):
        listen_unix(path)
    assert path.read_text() == "precious"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="No such file") as caught:
        listen_unix(tmp_path / "missing/syncd.sock")
    assert "http.socket" in caught.value.hint
    remove(tmp_path / "missing/syncd.sock")


def test_a_backlog_that_is_full_is_somebody_who_listens(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        with short_path(path) as short:
            listener.bind(short)
            listener.listen(0)
            first.connect(short)
        with pytest.raises(CannotListen, match="another daemon"):
            listen_unix(path)


def test_a_port_that_is_taken_is_named() -> None:
    with listen_tcp("127.0.0.1", 0) as listener, pytest.raises(CannotListen, match="another program listens there"):
        listen_tcp(*listener.getsockname())


def test_a_name_that_nobody_knows_is_told() -> None:
    with pytest.raises(CannotListen, match="cannot listen") as caught:
        listen_tcp("nobody.invalid", 0)
    assert caught.value.where == "nobody.invalid:0"


@pytest.mark.parametrize(
    ("address", "parts"), [("127.0.0.1:8510", ("127.0.0.1", 8510)), ("[::1]:0", ("::1", 0)), ("a:1", ("a", 1))]
)
def test_addresses_are_parted_into_host_and_port(address: str, parts: tuple[str, int]) -> None:
    assert split(address) == parts
