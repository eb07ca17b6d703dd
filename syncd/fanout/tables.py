"""The journal's tables: every statement that reads or writes them, on a connection inside a transaction."""

import sqlite3
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from syncd.core.delivery import Retry
from syncd.core.documents import UNREADABLE
from syncd.core.event import Event, hidden

MOST_EVENTS: Final = 10_000
MOST_BYTES: Final = 64 << 20
KEPT_SECONDS: Final = 7 * 86_400.0
"""The journal's bounds. Who has not been told for longer gets the full state instead."""
MOST_DELIVERIES: Final = 2_000

_STANDING: Final = "INSERT OR REPLACE INTO subscriber VALUES (?, ?, ?, ?, ?, ?)"
_TOLD: Final = """
    UPDATE subscriber SET told = ?, retry = NULL, disabled = 0, replay = ''
    WHERE name IN (SELECT value FROM json_each(?))
"""
_ENDED: Final = "INSERT INTO delivery (id, after, upto, outcome, tries, ends) VALUES (?, ?, ?, ?, ?, ?)"
_DELIVERIES: Final = """
    SELECT id, after, upto, outcome, tries, ends FROM delivery WHERE instr(ends, ?) ORDER BY number DESC LIMIT ?
"""
_EVENTS: Final = "SELECT seq, body FROM event WHERE seq > ? AND seq <= ? ORDER BY seq"
_PRUNE_EVENTS: Final = """
    DELETE FROM event WHERE seq < (SELECT max(seq) FROM event) AND (
        time < ?
        OR seq <= (SELECT max(seq) FROM event) - ?
        OR seq IN (
            SELECT seq FROM (SELECT seq, sum(length(body)) OVER (ORDER BY seq DESC) AS bytes FROM event) WHERE bytes > ?
        )
    )
"""
_PRUNE_DELIVERIES: Final = "DELETE FROM delivery WHERE number <= (SELECT max(number) FROM delivery) - ?"

_EVENT: Final = msgspec.json.Decoder(Event)
_RETRY: Final = msgspec.json.Decoder(Retry)
_ENDS: Final = msgspec.json.Decoder(dict[str, tuple[float, float, str]])

Row = tuple[str, str, int | None, bytes | None, bool, str]


class Published(NamedTuple):
    """A key as it was last published: the SHA-256 of its value, and whether that may not be shown."""

    hash: bytes
    secret: bool


class Head(msgspec.Struct, frozen=True):
    """What was published last: number, id and time of the event, the store's epoch, the commit that was applied then.

    ``seq`` is 0 before the first event; ``epoch`` is "" before anything was published. ``record`` is where the control
    record stood then. ``journal`` is in every id: another node cuts the same changes into other events, and a receiver
    that leaves out what it has seen must not take one for the other. ``failures`` notes which were told.
    """

    seq: int = 0
    id: str = ""
    epoch: str = ""
    index: int = 0
    applied: str = ""
    record: int = 0
    journal: str = ""
    failures: str = ""
    time: float = 0.0

    def next_id(self, epoch: str, index: int) -> str:
        """Name the next event as no other is: in a journal events are numbered, and each journal has a name."""
        return f"{epoch}-{index}-{self.journal}-{self.seq + 1}"


class Standing(msgspec.Struct):
    """How far a subscriber was told. ``told`` is the last event's number, None: it is to get the full state.

    ``defined`` is a hash of its definition: a subscriber that became another starts anew. ``replay`` names a person's
    order to tell it anew.
    """

    name: str
    defined: str
    told: int | None = None
    retry: Retry | None = None
    disabled: bool = False
    replay: str = ""


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A delivery that came to an end. Its set is every event after ``after`` up to ``upto``; None: the full state.

    ``ended`` is in Unix seconds, ``seconds`` is what the last try took.
    """

    subscriber: str
    id: str
    after: int | None
    upto: int
    outcome: str
    tries: int
    ended: float
    seconds: float
    said: str


def read_head(connection: sqlite3.Connection) -> Head:
    """Read what was published last."""
    facts = dict(connection.execute("SELECT name, value FROM fact"))
    return msgspec.convert(facts, Head, strict=False)


def read_standings(connection: sqlite3.Connection) -> dict[str, Standing]:
    """Read how far each subscriber was told."""
    rows = connection.execute("SELECT name, defined, told, retry, disabled, replay FROM subscriber")
    return {
        name: Standing(name, defined, told, _RETRY.decode(retry) if retry else None, bool(disabled), replay)
        for name, defined, told, retry, disabled, replay in rows
    }


def read_published(connection: sqlite3.Connection) -> dict[str, Published]:
    """Read every key as it was last published."""
    rows = connection.execute("SELECT key, hash, secret FROM published")
    return {key: Published(hash_, bool(secret)) for key, hash_, secret in rows}


def write_event(connection: sqlite3.Connection, event: Event | None, head: Head) -> Head:
    """Append an event and move the head; return it with the event's number."""
    if event is not None:
        row = (event.id, event.time, msgspec.json.encode(event))
        seq = connection.execute("INSERT INTO event (id, time, body) VALUES (?, ?, ?)", row).lastrowid
        head = msgspec.structs.replace(head, seq=seq, id=event.id, time=event.time)
    facts = [(name, str(value)) for name, value in msgspec.structs.asdict(head).items()]
    connection.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts)
    return head


def write_published(
    connection: sqlite3.Connection, keys: Iterable[tuple[str, bytes, bool]], gone: Iterable[str], *, everything: bool
) -> None:
    """Note keys as published, each with its value's hash and whether it is secret; ``everything``: no others are."""
    if everything:
        connection.execute("DELETE FROM published")
    connection.executemany("DELETE FROM published WHERE key = ?", [(key,) for key in gone])
    connection.executemany("INSERT OR REPLACE INTO published VALUES (?, ?, ?)", keys)


def hide(connection: sqlite3.Connection, names: AbstractSet[str]) -> None:
    """Take the values of what became secret out of the events that told them."""
    connection.execute("PRAGMA secure_delete = ON")  # else they stand in the file until their pages are used again
    for seq, body in connection.execute("SELECT seq, body FROM event").fetchall():
        with suppress(*UNREADABLE):  # a damaged one is never told
            event = _EVENT.decode(body)
            if (without := hidden(event, names)) is event:
                continue
            connection.execute("UPDATE event SET body = ? WHERE seq = ?", (msgspec.json.encode(without), seq))


def write_standings(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Write how far subscribers were told."""
    connection.executemany(_STANDING, rows)


def write_told(connection: sqlite3.Connection, told: int, names: bytes) -> None:
    """Move subscribers that are known already, a JSON list of names, to an event that they have taken."""
    connection.execute(_TOLD, (told, names.decode()))


def row_of(standing: Standing) -> Row:
    """Freeze a standing as it is now."""
    retry = msgspec.json.encode(standing.retry) if standing.retry else None
    return standing.name, standing.defined, standing.told, retry, standing.disabled, standing.replay


def write_deliveries(connection: sqlite3.Connection, deliveries: Iterable[Delivery]) -> None:
    """Append deliveries that came to an end, those of one event together."""
    shared: dict[tuple[str, int | None, int, str, int], dict[str, tuple[float, float, str]]] = {}
    for each in deliveries:
        of = shared.setdefault((each.id, each.after, each.upto, each.outcome, each.tries), {})
        of[each.subscriber] = (each.ended, each.seconds, each.said)
    connection.executemany(_ENDED, [(*key, msgspec.json.encode(ends).decode()) for key, ends in shared.items()])


def read_deliveries(connection: sqlite3.Connection, subscriber: str, most: int) -> list[Delivery]:
    """Read a subscriber's deliveries, the newest first."""
    name = msgspec.json.encode(subscriber).decode()
    found = []
    for id_, after, upto, outcome, tries, ends in connection.execute(_DELIVERIES, (f"{name}:", most)):
        ended, seconds, said = _ENDS.decode(ends)[subscriber]
        found.append(Delivery(subscriber, id_, after, upto, outcome, tries, ended, seconds, said))
    return found


def read_events(connection: sqlite3.Connection, after: int, upto: int) -> list[Event] | None:
    """Read the events after one up to another; None where not all of them are kept, or one is damaged."""
    rows = connection.execute(_EVENTS, (after, upto))
    try:
        found = [msgspec.structs.replace(_EVENT.decode(body), seq=seq) for seq, body in rows]
    except UNREADABLE:  # as good as dropped: whoever is owed it gets the full state, which holds more
        return None
    return found if len(found) == upto - after else None


def find_event(connection: sqlite3.Connection, id_: str) -> int | None:
    """Return an event's number by its id."""
    row = connection.execute("SELECT seq FROM event WHERE id = ?", (id_,)).fetchone()
    return row[0] if row else None


def last_before(connection: sqlite3.Connection, time: float) -> int | None:
    """Return the number of the last event before a time (Unix seconds); None where none so old is kept."""
    (seq,) = connection.execute("SELECT max(seq) FROM event WHERE time < ?", (time,)).fetchone()
    return seq  # type: ignore[no-any-return]  # sqlite3 carries no types


def forget(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    """Forget how far subscribers were told."""
    connection.executemany("DELETE FROM subscriber WHERE name = ?", [(name,) for name in names])


def prune(connection: sqlite3.Connection, now: float) -> None:
    """Keep the tables within their bounds; the last event always stays."""
    connection.execute(_PRUNE_EVENTS, (now - KEPT_SECONDS, MOST_EVENTS, MOST_BYTES))
    connection.execute(_PRUNE_DELIVERIES, (MOST_DELIVERIES,))
