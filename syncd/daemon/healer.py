"""Healing drift, and backing off where somebody writes a key again and again."""

from collections.abc import Callable

from syncd.core.plan import Plan
from syncd.core.rivals import Rivals
from syncd.daemon.applier import Applier
from syncd.daemon.survey import Held
from syncd.log import get_logger

log = get_logger(__name__)


class Healer:
    """Writes back what strangers changed; ``clock`` gives seconds and goes on through suspends."""

    def __init__(self, applier: Applier, *, clock: Callable[[], float]) -> None:
        self._applier = applier
        self._clock = clock
        self._rivals = Rivals()

    def resting(self) -> frozenset[str]:
        """List the keys that are not to be healed now."""
        return self._rivals.resting(self._clock())

    def rest(self) -> float | None:
        """Return the seconds until a key's rest ends, None where none rests."""
        now = self._clock()
        end = self._rivals.next_end(now)
        return None if end is None else end - now

    async def heal(self, plan: Plan, held: Held) -> None:
        """Write a plan of heals. They count before they are sent: a rival may be too quick for any to land."""
        for rest in self._rivals.heal((change.key for change in plan.changes), self._clock()):
            log.error(
                "somebody writes this key again and again",
                key=rest.key,
                heals=rest.heals,
                next_in=f"{rest.seconds:g}s",
                hint="find who writes it and have it changed in git, or set `drift: report` for it in .syncd.yaml",
            )
        await self._applier.heal(plan, held)
