"""A command that a message names reaches the store that the message is about."""

import pytest

from syncd.core import advice


@pytest.mark.parametrize(
    ("address", "flag"),
    [
        ("", ""),
        ("http://127.0.0.1:8500", ""),
        ("http://127.0.0.1:8600", " --address 127.0.0.1:8600"),
        ("https://consul.example:8501", " --address https://consul.example:8501"),
        ("unix:///run/consul.sock", " --address unix:///run/consul.sock"),
    ],
)
def test_the_address_is_named_unless_it_is_where_commands_look_anyway(address: str, flag: str) -> None:
    assert advice.plan(address) == f"syncd plan{flag}"
    assert advice.approve("1234", address) == f"syncd apply --approve 1234{flag}"


def test_a_commit_that_is_not_the_tip_is_named() -> None:
    at = "0123456789"
    assert advice.plan(advice.DEFAULT_ADDRESS, at) == "syncd plan --at 0123456"
    assert advice.approve("12", "http://c:8600", at) == "syncd apply --approve 12 --at 0123456 --address c:8600"
