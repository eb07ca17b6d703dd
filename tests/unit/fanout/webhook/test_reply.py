"""Replies: what counts does not depend on how they arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.fanout.webhook.reply import BODY_LIMIT, HEAD_LIMIT, BadReply, Replies

CASES = {
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"", True),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, b"", True),
    "trailer": (
        b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\nRetry-After: 3\r\n\r\n1\r\nx\r\n0\r\nRetry-After: 9\r\n\r\n",
        503, b"3", True,
    ),
    "continue": (
        b"HTTP/1.1 100 Continue\r\nRetry-After: 1\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        201, b"", True,
    ),
    "hints": (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + b"HTTP/1.1 204 x\r\n\r\n", 204, b"", True),
    "close": (
        b"HTTP/1.1 429 Slow\r\nConnection: close\r\nRetry-After: 7\r\nContent-Length: 1\r\n\r\nx",
        429, b"7", False,
    ),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", False),
    "odd": (b"HTTP/1.1 999 \r\ncontent-length: 0\r\n\r\n", 999, b"", True),
}  # fmt: skip


@given(st.sampled_from(sorted(CASES)), st.data())
def test_a_reply_is_read_alike_however_it_is_cut(name: str, data: st.DataObject) -> None:
    text, status, retry_after, reusable = CASES[name]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1))))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    replies = Replies()
    for _ in range(2):  # on one connection, if it may be used again
        replies.begin()
        assert [replies.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        assert (replies.status, replies.retry_after, replies.reusable) == (status, retry_after, reusable)
        if not reusable:
            break


@given(st.binary(max_size=200), st.lists(st.integers(1, 50), max_size=5))
def test_whatever_comes_is_a_reply_or_is_refused(noise: bytes, cuts: list[int]) -> None:
    replies, rest = Replies(), b"HTTP/1.1 200 OK\r\n" + noise
    for cut in [*cuts, len(rest)]:
        piece, rest = rest[:cut], rest[cut:]
        try:
            if replies.feed(piece):
                assert replies.status == 200
                return
        except BadReply:
            assert not replies.headed
            return


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\n\r\n", b"H", b"junk", b"\x00"])
def test_what_follows_unasked_ends_the_connection_and_changes_nothing(more: bytes) -> None:
    replies = Replies()
    assert replies.feed(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n" + more)
    assert (replies.status, replies.reusable) == (410, False)


@pytest.mark.parametrize("before", range(BODY_LIMIT - HEAD_LIMIT - 1, BODY_LIMIT - HEAD_LIMIT + 2))
def test_no_piece_of_a_body_is_taken_for_a_reply_then_or_later(before: int) -> None:
    well, broken = (b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status for status in (b"200 OK", b"500 No"))
    assert Replies().feed(well), "it is known from now on"
    replies = Replies()
    assert not replies.feed(b"HTTP/1.1 502 No\r\nContent-Length: %d\r\n\r\n" % (before + len(well)))
    assert not replies.feed(b"x" * before)
    assert replies.feed(well)
    assert replies.status == 502
    replies.begin()
    assert not replies.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (before + len(broken)))
    assert not replies.feed(b"x" * before)
    assert replies.feed(broken)
    another = Replies()
    assert another.feed(broken)
    assert another.status == 500


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: \x1b[31m\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n A: folded\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(text: bytes) -> None:
    with pytest.raises(BadReply, match="is not HTTP"):
        Replies().feed(text)


def test_a_switch_to_another_protocol_is_an_end() -> None:
    replies = Replies()
    assert replies.feed(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nxyz")
    assert (replies.status, replies.reusable) == (101, False)


def test_a_broken_body_ends_the_connection_and_leaves_the_status() -> None:
    replies = Replies()
    assert replies.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n")
    assert (replies.status, replies.reusable) == (200, False)


@pytest.mark.parametrize("size", [1, 1000, 2 * HEAD_LIMIT])
def test_a_head_up_to_the_limit_is_read_and_a_larger_one_is_refused(size: int) -> None:
    def feed(length: int) -> bool:
        start, end = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ", b"\r\n\r\n"
        text = start + b"a" * (length - len(start) - len(end)) + end
        replies = Replies()
        return [replies.feed(text[at : at + size]) for at in range(0, length, size)][-1]

    assert feed(HEAD_LIMIT)
    with pytest.raises(BadReply, match="over 16 KiB"):
        feed(HEAD_LIMIT + 1)


def test_what_follows_a_head_of_the_largest_size_ends_the_connection_too() -> None:
    start, end = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ", b"\r\n\r\n"
    replies = Replies()
    assert replies.feed(start + b"a" * (HEAD_LIMIT - len(start) - len(end)) + end + b"HTTP/1.1 410 Gone\r\n\r\n")
    assert (replies.status, replies.reusable) == (200, False)


@pytest.mark.parametrize("size", [1000, HEAD_LIMIT, 10 * BODY_LIMIT])
def test_a_body_up_to_the_limit_leaves_the_connection_usable_and_a_much_larger_one_does_not(size: int) -> None:
    def feed(length: int) -> Replies:
        text = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length
        replies = Replies()
        assert any(replies.feed(text[at : at + size]) for at in range(0, len(text), size))
        return replies

    assert feed(BODY_LIMIT - 1000).reusable
    too_large = feed(BODY_LIMIT + HEAD_LIMIT)
    assert (too_large.status, too_large.reusable) == (200, False)
