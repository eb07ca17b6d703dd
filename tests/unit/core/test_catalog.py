"""What services of the catalog ask for, and who stays known when a read says less."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.catalog import (
    GRACE_SECONDS,
    Grant,
    Instance,
    Kept,
    keep,
    parse_grant,
    subscriber_of,
    without_twins,
)
from syncd.core.event import Event, KeyChange, without_values
from syncd.core.subscriber import Filter, Subscriber, Webhook

META = {"syncd-path": "/config-changed", "syncd-prefix": "brain/"}


def instance(name: str = "brain", *, address: str = "10.0.0.7", port: int = 8080, **meta: str) -> Instance:
    """Make an instance; underscores in ``meta`` stand for dashes, and an empty text leaves an entry out."""
    changed = {key.replace("_", "-"): text for key, text in meta.items()}
    kept = {key: text for key, text in {**META, **changed}.items() if text != "(none)"}
    return Instance(name, name, "n1", address, port, kept)


def asked(one: Instance, *grants: Grant) -> Subscriber:
    return subscriber_of(one, grants, "")


def test_a_service_is_told_at_its_address_of_its_keys_without_values() -> None:
    subscriber = subscriber_of(instance(), (), "/etc/secret")
    assert subscriber == Subscriber(
        "brain@n1",
        Webhook("http://10.0.0.7:8080/config-changed", "/etc/secret", trusted=False),
        Filter(("brain/",)),
        values=False,
        origin="service brain on node n1",
    )


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("2001:db8::1", "https://[2001:db8::1]:8080/x?y=1"),
        ("brain.example", "https://brain.example:8080/x?y=1"),
        ("127.0.0.1", "https://127.0.0.1:8080/x?y=1"),
    ],
)
def test_address_scheme_and_path_make_the_url(address: str, url: str) -> None:
    target = asked(instance(address=address, syncd_scheme="https", syncd_path="/x?y=1")).target
    assert isinstance(target, Webhook)
    assert target.url == url


@pytest.mark.parametrize(
    ("meta", "filter_"),
    [
        ({"syncd_prefix": "brain/, ears/,"}, Filter(("brain/", "ears/"))),
        ({"syncd_match": "*/log_level,log"}, Filter(("brain/",), ("*/log_level", "log"))),
        ({"syncd_prefix": "(none)", "syncd_match": "log"}, Filter((), ("log",))),
        ({"syncd_prefix": ""}, Filter()),
    ],
)
def test_prefixes_and_patterns_are_comma_lists(meta: dict[str, str], filter_: Filter) -> None:
    assert asked(instance("brain", port=8080, **meta)).filter == filter_


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (instance(syncd_path="config"), "must begin with a slash"),
        (instance(syncd_path="/a b"), "a space"),
        (instance(syncd_path="/a\n"), "a control character"),
        (instance(syncd_path="/a#b"), "a fragment"),
        (instance(syncd_scheme="ftp"), "http or https"),
        (instance(syncd_prefix="(none)"), "needs syncd-prefix beside it"),
        (instance(syncd_prefix=","), "lists nothing"),
        (instance(syncd_prefix="/brain"), "without a slash in front"),
        (instance(syncd_match="!x"), "matches nothing by itself"),
        (instance(syncd_match="*a" * 40), "wildcards in a pattern"),
        (instance(syncd_match=",".join(f"{n}/**" for n in range(17))), "at most 16 prefixes and patterns"),
        (instance(port=0), "without a port"),
        (instance(address=""), "without an address"),
        (instance(address="a@b"), "is no host"),
        (instance(address="169.254.169.254"), "link-local"),
        (instance(address="fe80::1"), "link-local"),
        (instance(address="2001:db8::1%eth0"), "neither a host's name nor an address"),
        (instance(address="100.100.100.200"), "metadata service"),
        (instance(address="::ffff:169.254.1.1"), "link-local"),
        (instance("x" * 300), "longer than 256"),
    ],
)
def test_meta_that_cannot_work_is_refused_in_words(bad: Instance, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        asked(bad)


@given(st.text(), st.text(), st.text(), st.text())
def test_two_registrations_never_share_a_name(id1: str, node1: str, id2: str, node2: str) -> None:
    one, two = (Instance("s", id_, node, "a", 1, {}).name for id_, node in ((id1, node1), (id2, node2)))
    assert (one == two) == ((id1, node1) == (id2, node2))


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8)), st.text(max_size=20), st.integers(-1, 70_000))
def test_whatever_is_registered_is_a_subscriber_or_a_plain_refusal(
    meta: dict[str, str], address: str, port: int
) -> None:
    try:
        subscriber = asked(Instance("s", "s", "n", address, port, {**META, **meta}))
    except ValueError:
        pass
    else:
        assert isinstance(subscriber.target, Webhook)
        assert not subscriber.target.trusted


def test_values_are_told_only_below_what_settings_grant() -> None:
    subscriber = asked(instance(syncd_prefix=""), Grant("brain", "brain/"), Grant("other", ""))
    assert subscriber.values == ("brain/",)
    changes = tuple(KeyChange(key, "update", b"1", b"2", "sha256:1", "sha256:2") for key in ("brain/a", "ears/a"))
    event = Event("e-1", "foreign", "e", 1, 0.0, changes, 2)
    assert isinstance(subscriber.values, tuple)
    brain, ears = without_values(event, subscriber.values).changes
    assert (brain.old, brain.new) == (b"1", b"2")
    assert (ears.old, ears.new, ears.old_hash, ears.new_hash) == (None, None, "sha256:1", "sha256:2")
    assert [change.new for change in without_values(event).changes] == [None, None]


def test_a_grant_names_service_and_prefix() -> None:
    assert parse_grant("brain:a:b/") == Grant("brain", "a:b/")
    assert parse_grant("brain:") == Grant("brain", "")
    for bad in ("brain", ":x", "brain:/x"):
        with pytest.raises(ValueError, match=re.escape(bad)):
            parse_grant(bad)


def kept(one: Instance, seen: float) -> Kept:
    return Kept(one, asked(one), seen)


def test_who_is_missing_is_forgotten_only_after_a_while() -> None:
    known = {"brain@n1": kept(instance(), 100.0)}
    still = keep(known, [], stays=lambda _: False, now=100.0 + GRACE_SECONDS - 1)
    assert still == known
    assert keep(known, [], stays=lambda _: False, now=100.0 + GRACE_SECONDS) == {}


def test_who_may_only_not_have_been_read_stays_for_ever() -> None:
    known = {"brain@n1": kept(instance(), 100.0)}
    assert keep(known, [], stays=lambda _: True, now=9999.0) == {"brain@n1": kept(instance(), 9999.0)}


def test_a_registration_that_moved_replaces_what_was_known() -> None:
    known, moved = {"brain@n1": kept(instance(), 100.0)}, kept(instance(port=9090), 101.0)
    assert keep(known, [moved], stays=lambda _: False, now=101.0) == {"brain@n1": moved}


def test_an_address_is_told_once_and_the_settings_come_first() -> None:
    fixed = Subscriber("by-hand", Webhook("http://10.0.0.7:8080/config-changed"))
    first, second, other = asked(instance("a", port=1)), asked(instance("b", port=1)), asked(instance("c"))
    left, twins = without_twins([fixed], [second, first, other])
    assert left == [first]
    assert twins == [(second, first), (other, fixed)]


def test_a_service_whose_address_the_settings_name_for_snapshots_that_fail_is_told_of_keys_all_the_same() -> None:
    alarm = Subscriber("alarm", Webhook("http://10.0.0.7:8080/config-changed"), Filter(about="snapshots"))
    assert without_twins([alarm], [asked(instance())]) == ([asked(instance())], [])
