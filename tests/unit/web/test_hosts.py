"""By which names the daemon answers."""

import pytest

from syncd.web.hosts import Hosts, host_of, is_loopback


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8510", "localhost"),
        ("example.org.", "example.org"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::1]:8510", "::1"),
        ("", None),
        (":80", None),
        ("::1", None),
        ("a:b", None),
        ("a:\uff18", None),
        ("a:1:2", None),
    ],
)
def test_the_host_is_read_without_its_port(header: str, host: str | None) -> None:
    assert host_of(header) == host


def test_local_names_the_address_called_and_allowed_names_are_ours() -> None:
    hosts = Hosts(["Config.Example.org", "[2001:db8::1]"])
    for header in ("localhost:8510", "127.0.0.1", "[::1]", "config.example.org:80", "[2001:db8::1]", "10.0.0.7:8510"):
        assert hosts.allow(header, "10.0.0.7"), header
    for header in ("evil.example", "10.0.0.8", "localhost.evil", "[::2]", ""):
        assert not hosts.allow(header, "10.0.0.7"), header
    assert not hosts.allow("", "")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.org", False), ("0x7f.1", False),
    ],
)  # fmt: skip
def test_only_loopback_addresses_are_this_machines_own(host: str, local: bool) -> None:
    assert is_loopback(host) is local
