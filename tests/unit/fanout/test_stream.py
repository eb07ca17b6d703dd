"""Event streams: one encoding for all that want the same, and who does not read is dropped."""

import asyncio

import pytest

from syncd.core.subscriber import Filter
from syncd.fanout import stream as streams_of
from syncd.fanout.stream import HEARTBEAT, MOST_UNREAD, Channel, Stream, Streams, chunk, frame
from tests.support.waiting import until

ALL = Channel(Filter(), values=True, chunked=True)


class Client:
    """A transport that keeps all, and of which the test says how much was not read."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.unread = 0
        self.gone = self.aborted = False

    def write(self, data: bytes, /) -> None:
        assert not self.is_closing()
        self.got.append(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.gone or self.aborted

    def abort(self) -> None:
        self.aborted = True


class Maker:
    """Makes messages and counts them."""

    def __init__(self, size: int = 1) -> None:
        self.made: list[tuple[Filter, bool, int]] = []
        self.size = size

    def __call__(self, filter_: Filter, values: bool, seq: int) -> bytes | None:
        self.made.append((filter_, values, seq))
        return None if filter_.prefixes == ("nothing",) else b"%d" % seq * self.size


async def is_true(found: object) -> bool:
    return bool(found)


def joined(streams: Streams, channel: Channel = ALL, since: int = 0) -> tuple[Client, Stream]:
    client = Client()
    stream = Stream(client, channel)
    streams.join(stream, since)
    return client, stream


async def test_all_that_want_the_same_share_one_message() -> None:
    maker = Maker()
    streams = Streams(maker)
    first, _ = joined(streams)
    second, _ = joined(streams)
    old, _ = joined(streams, ALL._replace(chunked=False))
    hashes, _ = joined(streams, ALL._replace(values=False))
    other, _ = joined(streams, Channel(Filter(("nothing",)), values=True, chunked=True))
    streams.publish(1)
    assert first.got == second.got == hashes.got == [b"1\r\n1\r\n"]
    assert old.got == [b"1"], "HTTP/1.0 knows no chunks"
    assert other.got == []
    assert len(maker.made) == 3
    assert len(streams) == 5


async def test_who_joined_later_is_not_told_again_and_who_left_is_forgotten() -> None:
    streams = Streams(Maker())
    late, stream = joined(streams, since=2)
    streams.publish(2)
    assert late.got == []
    streams.publish(3)
    assert late.got == [chunk(b"3")]
    streams.leave(stream)
    streams.leave(stream)
    streams.publish(4)
    assert late.got == [chunk(b"3")]
    assert len(streams) == 0


# promise 16
async def test_who_does_not_read_is_dropped_and_nobody_else_notices() -> None:
    streams = Streams(Maker(size=MOST_UNREAD // 8))
    stuck, _ = joined(streams)
    reader, _ = joined(streams)
    stuck.unread = MOST_UNREAD + 1
    for seq in range(1, 5):
        streams.publish(seq)
    assert (stuck.aborted, reader.aborted) == (True, False)
    assert len(stuck.got) < len(reader.got) == 4
    assert (streams.dropped, len(streams)) == (1, 1)


async def test_a_client_that_is_going_is_not_written_to() -> None:
    streams = Streams(Maker())
    client, stream = joined(streams)
    client.gone = True
    streams.publish(1)
    stream.write(b"x")
    assert client.got == []


async def test_every_client_is_shown_now_and_then_that_the_connection_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_of, "HEARTBEAT_SECONDS", 0.0)
    streams = Streams(Maker())
    client, _ = joined(streams)
    gone, _ = joined(streams)
    stuck, _ = joined(streams)
    gone.gone, stuck.unread = True, MOST_UNREAD + 1
    task = asyncio.create_task(streams.run())
    await until(lambda: is_true(client.got), "a beat")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert client.got[0] == chunk(HEARTBEAT)
    assert gone.got == []
    assert stuck.aborted


async def test_a_close_lets_everybody_go_also_who_comes_too_late() -> None:
    streams = Streams(Maker())
    _, early = joined(streams)
    streams.close()
    _, late = joined(streams)
    await early.ended.wait()
    await late.ended.wait()


def test_a_message_is_a_frame_of_three_fields() -> None:
    assert frame("e-1", "syncd.test.v1", b'{"a":1}') == b'id: e-1\nevent: syncd.test.v1\ndata: {"a":1}\n\n'
