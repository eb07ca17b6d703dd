"""Fan-out: all that tells of changes, from the journal to the subscribers and the event streams."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from syncd.core.catalog import parse_grant
from syncd.core.event import Event
from syncd.core.subscriber import Command, File, Subscriber, Webhook
from syncd.daemon.alarm import Alarm
from syncd.daemon.backlog import Backlog
from syncd.daemon.discovery import Discovery
from syncd.daemon.dispatcher import Dispatcher, MakeSender
from syncd.daemon.messages import Messages
from syncd.daemon.publisher import Publisher
from syncd.daemon.view import View
from syncd.fanout.command import CommandSender
from syncd.fanout.journal import Journal
from syncd.fanout.sender import Sender
from syncd.fanout.stream import Streams
from syncd.fanout.webhook.webhooks import Webhooks
from syncd.settings import Settings
from syncd.wiring.parts import Parts
from syncd.wiring.process import boot_time, draw_id


class Fanout(msgspec.Struct, frozen=True):
    """What tells of changes and failures. ``discovery`` is None where the catalog is not asked for subscribers."""

    journal: Journal
    view: View
    publisher: Publisher
    dispatcher: Dispatcher
    discovery: Discovery | None
    backlog: Backlog
    streams: Streams
    alarm: Alarm


@asynccontextmanager
async def open_fanout(parts: Parts) -> AsyncIterator[Fanout]:
    """Open the journal and take up its subscribers; close both again."""
    settings, view = parts.settings, View()
    async with AsyncExitStack() as stack:
        journal = Journal.open(settings.state_directory)
        stack.push_async_callback(journal.close)
        messages = Messages(journal, view, settings.store.prefix)
        dispatcher = Dispatcher(
            journal, messages, _senders(settings, view), now=time.time, draw=random.random, draw_id=draw_id
        )
        stack.push_async_callback(dispatcher.close)
        await dispatcher.subscribe(settings.subscribers, whole=not settings.catalog.subscribers)
        backlog = Backlog(journal, messages)
        streams = Streams(backlog.event)

        def tell(event: Event) -> None:
            dispatcher.publish(event)
            streams.publish(event.seq)

        root, find = settings.source.path, parts.survey.applied_revision
        publisher = Publisher(journal, view, find, tell, root=root, now=time.time)
        alarm = Alarm(journal, tell, now=time.time)
        discovery = _discovery(parts, dispatcher) if settings.catalog.subscribers else None
        yield Fanout(journal, view, publisher, dispatcher, discovery, backlog, streams, alarm)


def _discovery(parts: Parts, dispatcher: Dispatcher) -> Discovery:
    """Make what finds subscribers in the catalog."""
    settings, secret_file = parts.settings, parts.settings.catalog.secret_file
    return Discovery(
        parts.store.catalog,
        dispatcher,
        settings.subscribers,
        [parse_grant(text) for text in settings.catalog.values],
        str(secret_file) if secret_file else "",
        clock=boot_time,
        draw=random.random,
    )


def _senders(settings: Settings, view: View) -> MakeSender:
    """Return what makes a sender for each kind of subscriber; needs a running loop."""
    webhooks = Webhooks(wall_clock=time.time)
    prefix, state = settings.store.prefix, settings.state_directory

    def make(subscriber: Subscriber) -> Sender:
        match subscriber.target:
            case Webhook():
                return webhooks.sender(subscriber.target)
            case Command():
                return CommandSender(subscriber.name, subscriber.target)
            case File():
                from syncd.fanout.file import FileSender  # noqa: PLC0415  # Jinja is loaded where a file is made

                owed = state / f"owed-{subscriber.name}"
                return FileSender(subscriber.name, subscriber.target, lambda: view.whole(prefix), owed)

    return make
