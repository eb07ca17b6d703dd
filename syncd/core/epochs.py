"""Telling by the control record that a store has gone back in time: a restored snapshot brings its older record."""


class Epochs:
    """Knows where the record was last seen, and which epochs are over: none of them comes back but by a snapshot."""

    def __init__(self) -> None:
        self._newest = ("", 0)
        self._over: set[str] = set()

    def expect(self, epoch: str, index: int) -> None:
        """Learn where the record stood when somebody last looked; the epoch "" is none."""
        self._newest = (epoch, index)

    def is_back(self, epoch: str, index: int) -> bool:
        """Tell whether a record is older than one that was seen."""
        newest, seen = self._newest
        return epoch in self._over or (epoch == newest and index < seen)

    def note(self, epoch: str, index: int) -> None:
        """Take a record for the newest; if its epoch is another, the one before is over."""
        if self._newest[0] not in ("", epoch):
            self._over.add(self._newest[0])
        self._newest = (epoch, index)
