"""What the daemon of this machine says of itself, as lines of ``syncd status``."""

from collections.abc import Iterator
from typing import Final

from syncd.cli.ago import ago, span
from syncd.cli.standing import Standing, Tip
from syncd.core.delivery import UNUSABLE, DeliveryState
from syncd.core.text import count, some
from syncd.daemon.answers import LiveDrills, LiveSnapshots, LiveStatus, LiveSubscribers, Trouble
from syncd.daemon.line import Standings

Fact = tuple[str, str, str | None]
"""A name, what is to be said of it, and a colour."""
_MOST_TROUBLED: Final = 5
_ROLES: Final = {
    "leading": "leads",
    "standby": "stands by",
    "paused": "is paused",
    "starting": "is starting",
}


def daemon_facts(standing: Standing, now: float) -> Iterator[Fact]:
    """Tell how the daemon does: role, lag, trouble, who is told."""
    live = standing.daemon
    if live is None:
        if standing.no_daemon:
            yield "daemon", standing.no_daemon, "yellow"
        return
    role = _ROLES.get(live.role, live.role) + (f"; {live.holder} leads" if live.holder else "")
    last = f"; its last good pass was {ago(live.last_success, now)}" if live.last_success else ""
    yield (
        "daemon",
        f"{role}; up for {span(live.uptime)}{last}",
        None if live.role in ("leading", "standby") else "yellow",
    )
    yield from _lag(live)
    for trouble in dict.fromkeys((live.last.trouble, live.source.trouble)):
        if trouble != live.source.trouble or not _is_tips(live, standing.tip):
            yield from _trouble(trouble)
    yield from _subscribers(live.subscribers, live.streams, now)
    if live.snapshots is not None:
        yield from _snapshots(live.snapshots, now)
    if live.drills is not None:
        yield from _drills(live.drills, now)


def _lag(live: LiveStatus) -> Iterator[Fact]:
    if not live.ready:
        yield "lag", "nothing is published yet", "yellow"
    elif live.ahead:
        yield "lag", f"git is ahead of the store for {span(live.ahead)}", "yellow"
    else:
        yield "lag", "none", None


def _is_tips(live: LiveStatus, tip: Tip) -> bool:
    """Tell whether the daemon's trouble with the desired state is what the tip's own lines say already."""
    theirs = live.source.tip
    return bool(tip.problems and live.source.problems) and theirs is not None and theirs.id == tip.commit.id


def _trouble(trouble: Trouble | None) -> Iterator[Fact]:
    if trouble is not None:
        place = f"{trouble.where}: " if trouble.where else ""
        advice = f" ({trouble.hint})" if trouble.hint else ""
        yield "trouble", f"{place}{trouble.message}{advice}", "red"


def _subscribers(told: LiveSubscribers, streams: int, now: float) -> Iterator[Fact]:
    following = f", {count(streams, 'stream')}" if streams else ""
    states = (
        f" ({some([f'{number:,} {state}' for state, number in sorted(told.states.items())])})" if told.count else ""
    )
    yield "told", f"{count(told.count, 'subscriber')}{states}{following}", None
    for each in told.troubled[:_MOST_TROUBLED]:
        yield "", _trouble_of(each, now), "red"
    more = len(told.troubled) - _MOST_TROUBLED
    if more > 0:
        yield "", f"and {more:,} more: syncd subscribers list", "red"


def _trouble_of(each: Standings, now: float) -> str:
    owed = f", owed for {span(now - each.since)}" if each.since else ""
    if each.state == DeliveryState.DISABLED:
        behind = f", {count(each.behind, 'event')} behind" if each.behind else ""
        said = each.said or "it wants nothing more"
        return f"{each.name} is disabled{behind}{owed}: {said} (to have it told: syncd subscribers replay {each.name})"
    if each.state == UNUSABLE:
        return f"{each.name} cannot be told{owed}: {each.said} (mend it, then reload or restart the daemon)"
    return f"{each.name} is {each.state} after {_tries(each.tries)}{owed}: {each.said}"


def _snapshots(found: LiveSnapshots, now: float) -> Iterator[Fact]:
    last = f"the newest was taken {ago(found.last, now)}: {found.file}" if found.last else "there is none yet"
    bad = found.late or found.trouble is not None
    yield "snapshot", f"{last}; {_following(found, now)}", "red" if bad else None
    yield from _trouble(found.trouble)


def _drills(found: LiveDrills, now: float) -> Iterator[Fact]:
    last = f"the last passed {ago(found.last, now)}: {found.file}" if found.last else "none has passed yet"
    bad = found.late or found.trouble is not None
    yield "drill", f"{last}; {_following(found, now)}", "red" if bad else None
    yield from _trouble(found.trouble)


def _following(found: LiveSnapshots | LiveDrills, now: float) -> str:
    """Say when there is another: one that failed is tried again before the next is due."""
    if 0 < found.retry < found.next:
        return f"what failed is tried again in {span(max(0.0, found.retry - now))}"
    return f"the next is due in {span(max(0.0, found.next - now))}"


def _tries(number: int) -> str:
    return f"{number:,} {'try' if number == 1 else 'tries'}"
