"""What the log says of a subscriber's tries: a trouble once, until it says something else, and its end."""

from syncd.core.delivery import Retry
from syncd.core.errors import StateError
from syncd.daemon.line import Line
from syncd.log import get_logger

log = get_logger(__name__)


def tell_failed(line: Line, said: str, retry: Retry, now: float) -> None:
    """Tell that a try failed, and when the next one is."""
    tell = log.debug if said == line.complaint else log.warning
    line.complaint = said
    tell(
        "a delivery failed",
        subscriber=line.subscriber.name,
        said=said,
        tries=retry.tries,
        next_in=f"{retry.planned - now:.0f}s",
    )


def tell_unread(line: Line, error: StateError) -> None:
    """Tell that the journal does not give what a subscriber is owed."""
    tell = log.debug if error.message == line.complaint else log.warning
    line.complaint = error.message
    tell(error.message, subscriber=line.subscriber.name, where=error.where, hint=error.hint)


def tell_exhausted(line: Line, said: str, id_: str) -> None:
    """Tell that the last try failed, and how a person has it made again."""
    name, line.complaint = line.subscriber.name, said
    hint = f"mend it, then: syncd subscribers replay {name} --event {id_}"
    log.error("a subscriber could not be told", subscriber=name, id=id_, said=said, hint=hint)


def tell_gone(line: Line, said: str) -> None:
    """Tell that a subscriber wants nothing more, and how a person has it told again."""
    name, line.complaint = line.subscriber.name, said
    hint = f"it is disabled; to have it told again: syncd subscribers replay {name}"
    log.warning("a subscriber wants nothing more", subscriber=name, said=said, hint=hint)


def tell_delivered(line: Line) -> None:
    """Tell that a trouble is over, where there was one."""
    retry, complaint = line.standing.retry, line.complaint
    line.complaint = ""
    if retry is not None or complaint:
        log.info("delivered again", subscriber=line.subscriber.name, tries=(retry.tries if retry else 0) + 1)
