"""Snapshots: taken by hand and every night, and put back."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import tzinfo
from functools import partial
from zoneinfo import ZoneInfo

import msgspec
from tzlocal import get_localzone

from syncd.core.lease import Holder
from syncd.core.snapshots.cron import parse_cron
from syncd.core.snapshots.retention import Policy
from syncd.core.snapshots.schedule import Schedule
from syncd.daemon.drill import rehearse
from syncd.daemon.drilling import Drills
from syncd.daemon.duty import Sound
from syncd.daemon.lease import Lease
from syncd.daemon.restore import Restore
from syncd.daemon.schedule import Nightly
from syncd.daemon.snapshot import Snapshots
from syncd.daemon.turn import Turn
from syncd.settings import Settings
from syncd.snapshots.folder import Folder
from syncd.store.store import Store
from syncd.wiring.parts import Parts
from syncd.wiring.process import boot_time, draw_id, this_process
from syncd.wiring.store import snapshot_endpoint


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
            zone=_zone_of(settings),
            after=wanted.after,
            environment=environment,
        )


def make_turn(parts: Parts, lease: Lease) -> Turn:
    """Make what says whose turn it is to do what is scheduled."""
    return Turn(parts.store, lease, id_=draw_id(), holder=this_process(), now=time.time)


def make_nightly(parts: Parts, turn: Turn, sound: Sound) -> Nightly | None:
    """Make what takes the scheduled snapshots; None where there are to be none."""
    settings, wanted = parts.settings, parts.settings.snapshots
    if not wanted.schedule:
        return None
    cron, seed = parse_cron(wanted.schedule), settings.store.prefix
    return Nightly(
        Folder(wanted.directory),
        partial(open_snapshots, settings, parts.environment, address=parts.given),
        turn,
        Schedule(cron, _zone_of(settings), wanted.jitter, seed),
        sound,
        expression=wanted.schedule,
        node=this_process(),
        now=time.time,
    )


def make_drills(parts: Parts, turn: Turn, sound: Sound) -> Drills | None:
    """Make what drills snapshots on schedule; None where nobody wants that."""
    settings, wanted = parts.settings, parts.settings.snapshots
    if not wanted.drill:
        return None
    return Drills(
        Folder(wanted.directory),
        rehearse,
        turn,
        Schedule(parse_cron(wanted.drill), _zone_of(settings)),
        sound,
        expression=wanted.drill,
        node=this_process(),
        now=time.time,
    )


@asynccontextmanager
async def open_restore(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Restore]:
    """Make what puts snapshots back, with their own token; its connection is open until the end of the block."""
    async with Store(snapshot_endpoint(settings, environment), settings.store.prefix) as store:
        holder = Holder(f"a restore on {this_process()}", int(time.time()))
        ttl = settings.store.lease_ttl
        lease = Lease(store, None, value=msgspec.json.encode(holder), ttl=ttl, clock=boot_time)
        folder, zone = Folder(settings.snapshots.directory), _zone_of(settings)
        yield Restore(store, folder, lease, prefix=settings.store.prefix, zone=zone, draw_id=draw_id)


def _zone_of(settings: Settings) -> tzinfo:
    """Return the time zone of snapshots."""
    name = settings.snapshots.timezone
    return ZoneInfo(name) if name else get_localzone()
