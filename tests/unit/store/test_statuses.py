"""What each status and text of Consul means."""

import pytest

from syncd.core.errors import (
    Conflict,
    Denied,
    Kind,
    NoLeader,
    NotFound,
    RateLimited,
    StoreError,
    TooLarge,
    UnknownOutcome,
    Unreachable,
)
from syncd.store.answers import only
from syncd.store.faults import AclsOff, fault_of, quoted, refused, shown


@pytest.mark.parametrize(
    ("status", "text", "of_a_read", "of_a_write"),
    [
        (301, "", StoreError, StoreError),
        (307, "", StoreError, StoreError),
        (400, "Invalid query", StoreError, StoreError),
        (401, "ACL support disabled", AclsOff, AclsOff),
        (403, "ACL not found", Denied, Denied),
        (403, "Permission denied", Denied, Denied),
        (405, "method not allowed", StoreError, StoreError),
        (413, "Transaction contains too many operations (65 > 64)", TooLarge, TooLarge),
        (429, "rate limit exceeded, try again later", RateLimited, RateLimited),
        (500, "No cluster leader", NoLeader, NoLeader),
        (500, "rpc error making call: No cluster leader", NoLeader, NoLeader),
        (500, "node is not the leader", NoLeader, NoLeader),
        (500, "leadership lost while committing log", NoLeader, UnknownOutcome),
        (500, "rpc error making call: EOF", Unreachable, UnknownOutcome),
        (500, 'invalid session "x"', NotFound, NotFound),
        (500, "rpc error making call: ACL not found", Denied, Denied),
        (500, "rpc error making call: rpc error: Permission denied", Denied, Denied),
        (500, "", Unreachable, UnknownOutcome),
        (500, "No path to datacenter", StoreError, StoreError),
        (502, "<html>", Unreachable, UnknownOutcome),
        (503, "rpc error: this operation can only be performed by the leader", RateLimited, RateLimited),
        (503, "", Unreachable, UnknownOutcome),
        (504, "", Unreachable, UnknownOutcome),
    ],
)
def test_a_status_becomes_a_typed_error(
    status: int, text: str, of_a_read: type[StoreError], of_a_write: type[StoreError]
) -> None:
    assert type(fault_of(status, text.encode(), write=False, where="here")) is of_a_read
    assert type(fault_of(status, text.encode(), write=True, where="here")) is of_a_write


def test_a_read_never_has_an_unknown_outcome() -> None:
    assert all(
        not isinstance(fault_of(status, b"x", write=False, where=""), UnknownOutcome) for status in range(300, 600)
    )


def test_a_lost_race_keeps_every_text_of_the_store() -> None:
    texts = tuple(f'failed to set key "{name}", index is stale' for name in "abcde")
    error = refused(texts, "here")
    assert isinstance(error, Conflict)
    assert error.failures == texts
    assert error.kind is Kind.RETRY
    assert "and 2 more" in str(error)


def test_a_denial_inside_a_transaction_is_no_lost_race() -> None:
    error = refused(('failed to set key "a", index is stale', "Permission denied"), "here")
    assert isinstance(error, Denied)
    assert error.kind is Kind.STALLED


def test_an_answers_text_is_cut_and_clean_before_it_is_shown() -> None:
    assert shown(b" a\n\n b\x1b[31m\x00\xff ") == "a b[31m\N{REPLACEMENT CHARACTER}"
    assert len(shown(b"x" * 10_000)) == 303


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500, 502, 503])
@pytest.mark.parametrize(
    "echo",
    [
        b'[{"KV":{"Verb":"cas","Key":"a","Value":"czNjcmV0"}}]',
        b'Bad request: {"Key":"a","Value":"czNjcmV0"}',
        b"rejected: czNjcmV0",
        b'Permission denied by policy 7 for body {"Value":"czNjcmV0"}',
    ],
)
def test_a_gateway_that_repeats_a_refused_write_gives_no_value_away(status: int, echo: bytes) -> None:
    error = fault_of(status, echo, write=True, where="PUT /v1/txn")
    assert "czNjcmV0" not in f"{error} {error!r} {error.args}"
    assert f"{len(echo)} bytes that are not shown" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "rpc error making call: EOF",
        "Permission denied: token with AccessorID '7f' lacks permission 'key:write' on \"config/a\"",
        "Request body(600000 bytes) too large, max size: 524288 bytes. See https://www.consul.io/docs.",
        "Transaction contains too many operations (65 > 64)",
        'invalid session "7f"',
        "",
    ],
)
def test_what_consul_says_of_a_write_is_shown(text: str) -> None:
    assert quoted(text.encode()) == text


def test_a_damaged_list_gives_no_value_away() -> None:
    with pytest.raises(StoreError, match="JSON of another shape") as caught:
        only(b'[{"Key":"a","Value":"czNjcmV0"', "a", "here")
    assert "czNjcmV0" not in str(caught.value)
