"""What clients of the event stream are told: each event, and what one missed, from the journal or as the full state."""

from typing import Final, NamedTuple

import msgspec

from syncd.core.subscriber import Filter
from syncd.daemon.messages import Audience, Messages, Wanted, event_in, named_state
from syncd.fanout.journal import Journal
from syncd.fanout.sender import Message
from syncd.fanout.stream import Stream, Streams, frame

_MOST_AUDIENCES: Final = 256


class _Typed(msgspec.Struct):
    type: str


class Missed(NamedTuple):
    """One message of a stream that tells everything up to an event; None where nothing of it concerns the client."""

    told: bytes | None
    upto: int


class Backlog:
    """Answers from the journal and what was published last."""

    def __init__(self, journal: Journal, messages: Messages) -> None:
        self._journal = journal
        self._messages = messages
        self._audiences: dict[tuple[Filter, bool], Audience] = {}

    @property
    def last(self) -> tuple[int, str]:
        """Number and id of the last event; the id names the state where there was no event yet."""
        head = self._journal.head
        return head.seq, named_state(head)

    async def find(self, id_: str) -> int | None:
        """Return the number of the event that a client saw last; None where the journal does not know it."""
        head, seen = self._journal.head, event_in(id_)
        if (seen.partition("-")[0], *seen.split("-")[2:]) == (head.epoch, head.journal, "0"):
            return 0  # it came before the first event
        return await self._journal.find(seen)

    def event(self, filter_: Filter, values: bool, seq: int) -> bytes | None:  # as Make has it
        """Tell the newest event; a reset with the full state."""
        message = self._messages.make(Wanted(self._audience(filter_, values=values), seq - 1, seq))
        assert message != "elsewhere"  # the newest event is always at hand
        return _framed(message) if message is not None else None

    async def since(self, filter_: Filter, after: int | None, *, values: bool) -> Missed:
        """Sum up what came after an event, None: the full state."""
        wanted = Wanted(self._audience(filter_, values=values), after, self._journal.head.seq)
        message = self._messages.make(wanted)
        if message == "elsewhere":
            message = await self._messages.load(wanted)
        if message is None:
            return Missed(None, wanted.upto)
        return Missed(_framed(message), self._journal.head.seq if message.full else wanted.upto)

    async def join(self, streams: Streams, stream: Stream, after: int | None) -> None:
        """Tell a client what came after an event and let it join, with nothing between and nothing twice."""
        channel = stream.channel
        while after is None or after < self._journal.head.seq:
            missed = await self.since(channel.filter, after, values=channel.values)
            if missed.told is not None:
                stream.write(missed.told)
            after = missed.upto
        streams.join(stream, after)

    def _audience(self, filter_: Filter, *, values: bool) -> Audience:
        """Return one audience for all that want the same; callers may want anything, so few are remembered."""
        if len(self._audiences) >= _MOST_AUDIENCES:
            self._audiences.clear()
        return self._audiences.setdefault((filter_, values), Audience(filter_, values=values))


def _framed(message: Message) -> bytes:
    return frame(message.id, msgspec.json.decode(message.body, type=_Typed).type, message.body)
