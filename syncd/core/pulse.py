"""Which loops of the daemon come round, and which are late. Times are the caller's: seconds of one clock."""


class Pulses:
    """When each loop must have come round next. A loop that rests waits for what may never happen, and owes nothing."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def expect(self, loop: str, due: float) -> None:
        """Note that a loop came round, and will again by then."""
        self._due[loop] = due

    def rest(self, loop: str) -> None:
        """Expect nothing of a loop until it comes round by itself."""
        self._due.pop(loop, None)

    def clear(self) -> None:
        """Expect nothing any more."""
        self._due.clear()

    def late(self, now: float) -> dict[str, float]:
        """Name the loops that should have come round by now, each with the seconds that it is late."""
        return {loop: now - due for loop, due in self._due.items() if now > due}
