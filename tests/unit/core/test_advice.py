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
    place = advice.reach(address)
    assert advice.plan(place) == f"syncd plan{flag}"
    assert advice.approve("1234", place) == f"syncd apply --approve 1234{flag}"


def test_the_flags_that_were_given_are_given_again() -> None:
    place = advice.reach("http://c:8600", [("--prefix", "shop"), ("--path", "my tree")])
    assert advice.resume(place) == "syncd resume --prefix shop --path 'my tree' --address c:8600"
    assert advice.keep_drift(place) == "syncd drift --prefix shop --path 'my tree' --address c:8600 --patch | git apply"


def test_a_commit_that_is_not_the_tip_is_named() -> None:
    at = "0123456789"
    assert advice.plan("", at) == "syncd plan --at 0123456"
    assert advice.approve("12", advice.reach("http://c:8600"), at) == (
        "syncd apply --approve 12 --at 0123456 --address c:8600"
    )
