"""Who waits for a change of what: blocking queries wake for their key or subtree only."""

from asyncio import Future
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a watch is on."""

    KEY = "key"
    BELOW = "below"
    SESSIONS = "sessions"


class Topic(NamedTuple):
    """A key, a subtree by its prefix, or all sessions."""

    kind: Kind
    path: bytes = b""


SESSIONS = Topic(Kind.SESSIONS)


class Watches:
    """The parked queries; a change costs a look-up per distinct length of watched prefixes, not one per query."""

    def __init__(self) -> None:
        self._parked: defaultdict[Topic, set[Future[None]]] = defaultdict(set)
        self._lengths: Counter[int] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self._parked.values()))

    @contextmanager
    def park(self, topic: Topic, woken: Future[None]) -> Iterator[None]:
        """Wake ``woken`` on a change of ``topic`` while the block lasts."""
        self._parked[topic].add(woken)
        self._lengths[len(topic.path)] += topic.kind is Kind.BELOW
        try:
            yield
        finally:
            self._parked[topic].discard(woken)
            self._lengths[len(topic.path)] -= topic.kind is Kind.BELOW
            if not self._parked[topic]:
                del self._parked[topic]
            self._lengths = +self._lengths

    def notify(self, keys: Iterable[bytes], sessions: bool) -> None:
        """Wake who waits on any of ``keys``, above them, or on sessions."""
        for key in keys:
            self._wake(Topic(Kind.KEY, key))
            for length in self._lengths:
                if length <= len(key):
                    self._wake(Topic(Kind.BELOW, key[:length]))
        if sessions:
            self._wake(SESSIONS)

    def wake_all(self) -> None:
        """Wake everyone."""
        for topic in self._parked:
            self._wake(topic)

    def _wake(self, topic: Topic) -> None:
        for woken in self._parked.get(topic, ()):
            if not woken.done():
                woken.set_result(None)
