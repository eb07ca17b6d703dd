"""The one place that builds everything, from settings."""

import os
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import tzinfo
from functools import partial
from zoneinfo import ZoneInfo

import msgspec
from tzlocal import get_localzone

from syncd.core.catalog import parse_grant
from syncd.core.event import Event
from syncd.core.lease import Holder
from syncd.core.snapshots.cron import parse_cron
from syncd.core.snapshots.retention import Policy
from syncd.core.snapshots.schedule import Schedule
from syncd.core.subscriber import Command, File, Subscriber, Webhook
from syncd.daemon.applier import Applier
from syncd.daemon.backlog import Backlog
from syncd.daemon.discovery import Discovery
from syncd.daemon.dispatcher import Dispatcher, MakeSender
from syncd.daemon.door import Door
from syncd.daemon.healer import Healer
from syncd.daemon.lease import Lease
from syncd.daemon.messages import Messages
from syncd.daemon.observer import Observer
from syncd.daemon.passes import Passes
from syncd.daemon.publisher import Publisher
from syncd.daemon.reconciler import Reconciler
from syncd.daemon.report import Report
from syncd.daemon.restore import Restore
from syncd.daemon.schedule import Nightly
from syncd.daemon.service import Service
from syncd.daemon.snapshot import Snapshots
from syncd.daemon.state import State
from syncd.daemon.status import Status
from syncd.daemon.supervisor import Daemon
from syncd.daemon.survey import Survey
from syncd.daemon.turn import Turn
from syncd.daemon.view import View
from syncd.fanout.command import CommandSender
from syncd.fanout.journal import Journal
from syncd.fanout.sender import Sender
from syncd.fanout.stream import Streams
from syncd.fanout.webhook.webhooks import Webhooks
from syncd.git.source import Source
from syncd.settings import Settings
from syncd.snapshots.folder import Folder
from syncd.store.endpoint import Endpoint, resolve_endpoint
from syncd.store.store import Store


class Parts(msgspec.Struct, frozen=True):
    """What the commands and the daemon stand on, for one source and one prefix.

    ``state`` is the state directory where this process holds it, ``memory`` where it may at least be read. ``named`` is
    ``address`` where a person must say it to reach the same store, else "": it stands in a file or a variable.
    ``environment`` and ``given``, an address that stands in for the settings', say where the store is found.
    """

    settings: Settings
    source: Source
    store: Store
    address: str
    named: str
    state: State | None
    memory: State | None
    survey: Survey
    environment: Mapping[str, str]
    given: str | None

    def lease(self) -> Lease:
        """Make this process's claim to the lease."""
        return Lease(
            self.store,
            self.state,
            value=msgspec.json.encode(Holder(this_process(), int(time.time()))),
            ttl=self.settings.store.lease_ttl,
            clock=boot_time,
        )

    def reconciler(self, lease: Lease) -> Reconciler:
        """Make what brings the store to a commit."""
        applier = Applier(
            self.store,
            lease,
            source=self.settings.source.name,
            prefix=self.settings.store.prefix,
            parallel=self.settings.store.parallel,
            now=time.time,
            draw_id=draw_id,
        )
        healer = Healer(applier, clock=boot_time)
        return Reconciler(self.store, self.source, self.survey, applier, healer, lease, self.state, now=time.time)

    def nightly(self, lease: Lease) -> Nightly | None:
        """Make what takes the scheduled snapshots; None where there are to be none."""
        wanted = self.settings.snapshots
        if not wanted.schedule:
            return None
        cron, seed = parse_cron(wanted.schedule), self.settings.store.prefix
        return Nightly(
            Folder(wanted.directory),
            partial(open_snapshots, self.settings, self.environment, address=self.given),
            Turn(self.store, lease, id_=draw_id(), holder=this_process(), now=time.time),
            Schedule(cron, zone_of(self.settings), wanted.jitter, seed),
            expression=wanted.schedule,
            now=time.time,
        )

    def discovery(self, dispatcher: Dispatcher) -> Discovery:
        """Make what finds subscribers in the catalog."""
        settings, secret_file = self.settings, self.settings.catalog.secret_file
        return Discovery(
            self.store.catalog,
            dispatcher,
            settings.subscribers,
            [parse_grant(text) for text in settings.catalog.values],
            str(secret_file) if secret_file else "",
            clock=boot_time,
            draw=random.random,
        )

    @asynccontextmanager
    async def daemon(self, service: Service | None = None) -> AsyncIterator[Daemon]:
        """Make the daemon; its journal is open until the end of the block. Without ``service`` nobody hears of it."""
        settings, service = self.settings, service or Service({}, clock=time.monotonic)
        async with AsyncExitStack() as stack:
            journal = Journal.open(settings.state_directory)
            stack.push_async_callback(journal.close)
            view = View()
            messages = Messages(journal, view, settings.store.prefix)
            dispatcher = Dispatcher(
                journal, messages, senders(settings, view), now=time.time, draw=random.random, draw_id=draw_id
            )
            stack.push_async_callback(dispatcher.close)
            await dispatcher.subscribe(settings.subscribers, whole=not settings.catalog.subscribers)
            backlog = Backlog(journal, messages)
            streams = Streams(backlog.event)

            def tell(event: Event) -> None:
                dispatcher.publish(event)
                streams.publish(event.seq)

            lease, passes = self.lease(), Passes(time.time)
            nightly = self.nightly(lease)
            reconciler = self.reconciler(lease)
            reconciler.expect(journal.head.epoch, journal.head.record)
            observer = Observer(self.store, self.survey, pulse=service.pulse, clock=boot_time, draw=random.random)
            daemon = Daemon(
                self.source,
                self.store,
                reconciler,
                observer,
                Publisher(
                    journal,
                    view,
                    self.survey.applied_revision,
                    tell,
                    root=settings.source.path,
                    now=time.time,
                ),
                dispatcher,
                self.discovery(dispatcher) if settings.catalog.subscribers else None,
                nightly,
                lease,
                Report(settings.source.path, self.named),
                service,
                passes,
                worktree=settings.source.worktree,
                interval=settings.store.reconcile,
                draw=random.random,
            )
            status = Status(
                self.source,
                self.store,
                self.survey,
                reconciler,
                lease,
                passes,
                view,
                dispatcher,
                streams,
                nightly,
                prefix=settings.store.prefix,
                address=self.address,
                now=time.time,
            )
            door = Door(
                status,
                self.source,
                self.store,
                self.survey,
                reconciler,
                observer,
                passes,
                view,
                dispatcher,
                streams,
                backlog,
                wake=daemon.wake,
                late=service.late,
                worktree=settings.source.worktree,
                now=time.time,
            )
            from syncd.web.server import serve  # noqa: PLC0415  # takes longer than a whole short command

            server = await serve(door, settings)
            stack.push_async_callback(server.close)
            yield daemon


def senders(settings: Settings, view: View) -> MakeSender:
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
                from syncd.fanout.file import FileSender  # noqa: PLC0415  # Jinja loads longer than a short command takes

                owed = state / f"owed-{subscriber.name}"
                return FileSender(subscriber.name, subscriber.target, lambda: view.whole(prefix), owed)

    return make


@asynccontextmanager
async def open_parts(
    settings: Settings, environment: Mapping[str, str], *, address: str | None = None, stateful: bool = False
) -> AsyncIterator[Parts]:
    """Open repository and store; close them again.

    ``stateful`` takes the state directory for this process; otherwise it is only read, and may be missing.
    ``address`` stands in for the store's address in the settings: the embedded store's.
    """
    name, prefix = settings.source.name, settings.store.prefix
    async with AsyncExitStack() as stack:
        state = State.open(settings.state_directory) if stateful else None
        memory = state or State.peek(settings.state_directory)
        if memory is not None:
            stack.push_async_callback(memory.close)
        source = await open_source(settings)
        stack.push_async_callback(source.close)
        endpoint = endpoint_of(settings, environment, address)
        store = Store(endpoint, prefix)
        stack.push_async_callback(store.close)
        survey = Survey(store, source, memory, name=name, prefix=prefix)
        said = address is not None or settings.origin("store.address").startswith("flag")
        named = str(endpoint) if said else ""
        yield Parts(settings, source, store, str(endpoint), named, state, memory, survey, environment, address)


@asynccontextmanager
async def open_store(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Store]:
    """Open the store alone, for what needs no repository; close it again."""
    store = Store(endpoint_of(settings, environment), settings.store.prefix)
    try:
        yield store
    finally:
        await store.close()


async def open_source(settings: Settings) -> Source:
    """Open the repository."""
    return await Source.open(
        settings.source.repository,
        path=settings.source.path,
        prefix=settings.store.prefix,
        branch=settings.source.branch,
    )


def endpoint_of(settings: Settings, environment: Mapping[str, str], address: str | None = None) -> Endpoint:
    """Resolve the store's address and credentials."""
    token_file = settings.store.token_file
    return resolve_endpoint(
        environment,
        address=address or settings.store.address,
        token_file=str(token_file) if token_file else None,
        datacenter=settings.store.datacenter,
    )


def snapshot_endpoint(settings: Settings, environment: Mapping[str, str], address: str | None = None) -> Endpoint:
    """Resolve the store's address with the credentials that a snapshot needs; never with the daemon's own token."""
    token_file = settings.snapshots.token_file
    return resolve_endpoint(
        environment,
        address=address or settings.store.address,
        token_file=str(token_file) if token_file else None,
        setting="snapshots.token_file",
        datacenter=settings.store.datacenter,
    )


@asynccontextmanager
async def open_snapshots(
    settings: Settings, environment: Mapping[str, str], *, address: str | None = None
) -> AsyncIterator[Snapshots]:
    """Make what takes snapshots; its connection to the store is open until the end of the block."""
    wanted = settings.snapshots
    policy = Policy(wanted.keep_last, wanted.keep_daily, wanted.keep_weekly, wanted.keep_monthly)
    async with Store(snapshot_endpoint(settings, environment, address), settings.store.prefix) as store:
        yield Snapshots(
            store,
            Folder(wanted.directory),
            policy,
            prefix=settings.store.prefix,
            zone=zone_of(settings),
            after=wanted.after,
            environment=environment,
        )


@asynccontextmanager
async def open_keys(settings: Settings, environment: Mapping[str, str], prefix: str) -> AsyncIterator[Store]:
    """Open the store at any prefix, with the snapshots' own token; close it again."""
    async with Store(snapshot_endpoint(settings, environment), prefix) as store:
        yield store


@asynccontextmanager
async def open_restore(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Restore]:
    """Make what puts snapshots back, with their own token; its connection is open until the end of the block."""
    async with Store(snapshot_endpoint(settings, environment), settings.store.prefix) as store:
        holder = Holder(f"a restore on {this_process()}", int(time.time()))
        ttl = settings.store.lease_ttl
        lease = Lease(store, None, value=msgspec.json.encode(holder), ttl=ttl, clock=boot_time)
        yield Restore(store, Folder(settings.snapshots.directory), lease, prefix=settings.store.prefix, draw_id=draw_id)


def zone_of(settings: Settings) -> tzinfo:
    """Return the time zone of snapshots."""
    name = settings.snapshots.timezone
    return ZoneInfo(name) if name else get_localzone()


def this_process() -> str:
    """Name this process to people."""
    return f"{socket.gethostname()} (pid {os.getpid()})"


def boot_time() -> float:
    """Seconds since boot, suspends included: a lease must not be thought alive because the machine slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def draw_id() -> str:
    """Draw a random id of 64 bits."""
    return secrets.token_hex(8)
