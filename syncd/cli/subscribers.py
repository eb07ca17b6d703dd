"""``syncd subscribers``."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar

import click
import msgspec

from syncd.cli.ago import span
from syncd.cli.daemon_client import Daemon, connect
from syncd.cli.names import complete_subscriber
from syncd.cli.options import DAEMON, output_option, with_settings
from syncd.cli.output import print_json, print_table
from syncd.cli.running import run
from syncd.daemon.line import Standings
from syncd.fanout.tables import Delivery
from syncd.settings import Settings
from syncd.settings.durations import parse_duration

T = TypeVar("T")

_FAILED: Final = 1
_HEADINGS: Final = ("NAME", "KIND", "STATE", "BEHIND", "AGE", "NEXT TRY", "TARGET", "LAST ANSWER")
_DELIVERIES: Final = ("ENDED", "OUTCOME", "TRIES", "TOOK", "EVENT", "ANSWER")


@click.group
def subscribers() -> None:
    """Say who is told of changes, and how that goes. All of it asks the daemon of this machine."""


@subscribers.command("list", short_help="List who is told, and how that goes.")
@with_settings(*DAEMON)
@output_option("table", "json")
def list_(settings: Settings, output: str) -> None:
    """List the subscribers: who is behind, since when, and what each said last.

    BEHIND counts events that were not told yet, "full state" where that is told instead; AGE is that of the oldest.
    """
    found = _ask(settings, lambda daemon: daemon.subscribers())
    if output == "json":
        print_json({"subscribers": found})
    elif found:
        print_table(_HEADINGS, [_row(each, time.time()) for each in found])
    else:
        click.echo("Nobody is told. Name subscribers in syncd.toml ([[subscriber]]), or in the meta of a service.")


@subscribers.command(short_help="Send a subscriber a message to try it.")
@click.argument("name", shell_complete=complete_subscriber)
@with_settings(*DAEMON)
@output_option("table", "json")
def test(settings: Settings, name: str, output: str) -> int:
    """Send a subscriber a message that tells nothing, and say what came of it. Exits with 1 where it failed."""
    result = _ask(settings, lambda daemon: daemon.test(name))
    if output == "json":
        print_json({"name": name, **msgspec.to_builtins(result)})
    else:
        click.echo(f"{name}: {result.outcome} ({result.said})")
    return 0 if result.outcome == "delivered" else _FAILED


@subscribers.command(short_help="List the deliveries that came to an end.")
@click.argument("name", shell_complete=complete_subscriber)
@with_settings(*DAEMON)
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@output_option("table", "json")
def deliveries(settings: Settings, name: str, most: int, output: str) -> None:
    """List a subscriber's deliveries that came to an end, the newest first."""
    found = _ask(settings, lambda daemon: daemon.deliveries(name, most))
    if output == "json":
        print_json({"deliveries": found})
    elif found:
        print_table(_DELIVERIES, [_delivery(each) for each in found])
    else:
        click.echo(f"No delivery to {name} has come to an end yet; syncd subscribers list shows one that is under way.")


@subscribers.command(short_help="Have a subscriber told anew.")
@click.argument("name", shell_complete=complete_subscriber)
@with_settings(*DAEMON)
@click.option("--since", metavar="TIME", help="What happened since: 2h ago, or an ISO time (local without a zone).")
@click.option("--event", metavar="ID", help="What happened from that event, or that delivery, on.")
@click.option("--full", is_flag=True, help="The full state; so it is without an option.")
@output_option("table", "json")
def replay(settings: Settings, name: str, since: str | None, event: str | None, full: bool, output: str) -> None:
    """Have a subscriber told anew; also one that said it wants nothing more.

    Where the journal does not go back far enough, the full state is told.
    """
    if sum((since is not None, event is not None, full)) > 1:
        raise click.UsageError("only one of --since, --event and --full can be told anew")
    after = None if since is None else _time(since, time.time())
    _ask(settings, lambda daemon: daemon.replay(name, since=after, event=event))
    if output == "json":
        print_json({"replaying": name})
    else:
        click.echo(f"{name} is told anew; how that goes: syncd subscribers deliveries {name}")


def _ask(settings: Settings, question: Callable[[Daemon], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with connect(settings) as daemon:
            return await question(daemon)

    return run(ask())


def _row(each: Standings, now: float) -> list[str]:
    return [
        each.name,
        each.kind,
        "elsewhere" if each.held else each.state,
        "full state" if each.full else f"{each.behind:,}",
        span(now - each.since) if each.since else "-",
        span(each.next - now) if each.next else "-",
        each.target,
        each.said or "-",
    ]


def _delivery(each: Delivery) -> list[str]:
    ended = datetime.fromtimestamp(each.ended).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return [ended, each.outcome, f"{each.tries:,}", f"{each.seconds:.3g}s", each.id, each.said]


def _time(text: str, now: float) -> float:
    """Read how long ago, or an ISO time, as Unix seconds."""
    try:
        return now - parse_duration(text.removesuffix(" ago"))
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(f"{text!r} is neither a duration (2h) nor an ISO time (2026-11-25T02:00)") from None
    if not 0 <= found <= now:
        raise click.UsageError(f"{text!r} is not in the past")
    return found
