"""What readers see: the store as it was last published, never half a revision."""

from collections.abc import Mapping

from syncd.core.event import ToldRevision
from syncd.core.live import Entry
from syncd.core.publication import Past
from syncd.fanout.published import Published


class View:
    """The store as last published, whole: what readers of the daemon's API and templates see.

    ``entries`` are the keys relative to the prefix, ``secrets`` those whose value may not be shown. ``index`` is the
    control record's; nothing is there until it is ``ready``.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.secrets: set[str] = set()
        self.revision: ToldRevision | None = None
        self.epoch = ""
        self.index = 0
        self.ready = False
        self.turns = 0  # how often keys became secrets, or ceased to be
        self._whole: Published | None = None

    def moved(self) -> None:
        """Forget what was made of what stood here before; whoever changes anything calls this."""
        self._whole = None

    def whole(self, prefix: str) -> Published | None:
        """Return everything as it stands now, for readers in other threads; None before anything was published."""
        if self._whole is None and self.ready:
            keys = {key: entry.value for key, entry in self.entries.items()}
            self._whole = Published(prefix, keys, self.revision)
        return self._whole

    def past(self, key: str) -> Past | None:
        """Return a key as published."""
        entry = self.entries.get(key)
        return None if entry is None else Past(key in self.secrets, entry.value)

    def share(self, live: Mapping[str, Entry]) -> None:
        """Hold the same objects as the mirror where nothing differs: there may be 100,000 of them."""
        for key, entry in self.entries.items():
            other = live.get(key)
            if other is not None and other.value == entry.value:
                self.entries[key] = other
