"""Messages to the service manager, on real sockets."""

import os
from pathlib import Path

import pytest

from syncd.daemon.notify import notify
from tests.support.service_manager import service_manager


@pytest.mark.parametrize("abstract", [False, True], ids=["a socket in a folder", "a socket without a file"])
def test_what_is_told_arrives_as_one_message(tmp_path: Path, abstract: bool) -> None:
    place = Path(f"@syncd-test-{os.getpid()}") if abstract else tmp_path / "notify"
    with service_manager(place) as manager:
        notify(manager.environment, "READY=1", "STATUS=in sync at 1a2b3c4, 9 keys")
        manager.wait_for("READY=1")
        assert manager.messages == [{"READY": "1", "STATUS": "in sync at 1a2b3c4, 9 keys"}]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_a_service_manager_nothing_happens(environment: dict[str, str]) -> None:
    notify(environment, "READY=1")


def test_a_socket_where_nobody_listens_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        notify({"NOTIFY_SOCKET": str(tmp_path / "gone")}, "READY=1")
