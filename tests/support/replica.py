"""A subscriber that does as the documentation says: it forgets what it has seen before, and follows the rest."""

from collections.abc import Callable
from typing import Any

Look = Callable[["Replica"], None]


class Replica:
    """The keys as a subscriber knows them; a value that is not told is its hash.

    It leaves out messages whose id it has seen, as receivers do. ``look`` is called after each one that it took, and
    raises where a subscriber must never see this.
    """

    def __init__(self, look: Look | None = None) -> None:
        self.keys: dict[str, str] = {}
        self.epoch = ""
        self.resets = 0
        self.commit = ""
        self.look = look
        self._seen: set[str] = set()

    def take(self, body: dict[str, Any]) -> None:
        """Follow one event; what tells of snapshots is no state."""
        data = body["data"]
        if "failures" in data:
            return
        assert data["detail"] == "full"
        if body["id"] in self._seen:
            return
        self._seen.add(body["id"])
        if body["type"] == "syncd.state.reset.v1":
            self.keys.clear()
            self.resets += 1
        for change in data["changes"]:
            if change["operation"] == "delete":
                self.keys.pop(change["key"], None)
            else:
                self.keys[change["key"]] = change.get("new", change["new_hash"])
        self.epoch = data["epoch"]
        if data["revision"]:
            self.commit = data["revision"]["commit"]
        if self.look is not None:
            self.look(self)
