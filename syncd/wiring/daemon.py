"""The daemon: its loops, and its door for those who ask."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from syncd.daemon.door import Door
from syncd.daemon.drilling import Drills
from syncd.daemon.lease import Lease
from syncd.daemon.observer import Observer
from syncd.daemon.own_keys import OwnKeys
from syncd.daemon.passes import Passes
from syncd.daemon.reconciler import Reconciler
from syncd.daemon.report import Report
from syncd.daemon.schedule import Nightly
from syncd.daemon.service import Service
from syncd.daemon.status import Status
from syncd.daemon.supervisor import Daemon
from syncd.daemon.telling import Telling
from syncd.daemon.tip import Tip
from syncd.web.server import serve
from syncd.wiring.fanout import Fanout, open_fanout
from syncd.wiring.parts import Parts
from syncd.wiring.process import boot_time
from syncd.wiring.snapshots import make_drills, make_nightly, make_turn


class Loops(msgspec.Struct, frozen=True):
    """What the daemon runs and its door asks, besides fan-out.

    ``nightly`` and ``drills`` are None where none are scheduled.
    """

    service: Service
    lease: Lease
    passes: Passes
    reconciler: Reconciler
    observer: Observer
    nightly: Nightly | None
    drills: Drills | None


@asynccontextmanager
async def open_daemon(parts: Parts, service: Service | None = None) -> AsyncIterator[Daemon]:
    """Make the daemon; its journal and its door are open until the end of the block.

    Without ``service`` nobody hears of it.
    """
    async with open_fanout(parts) as fanout:
        loops = _loops(parts, fanout, service or Service({}, clock=time.monotonic))
        daemon = _daemon(parts, fanout, loops)
        server = await serve(_door(parts, fanout, loops), parts.settings)
        try:
            yield daemon
        finally:
            await server.close()


def _loops(parts: Parts, fanout: Fanout, service: Service) -> Loops:
    lease = parts.lease()
    turn, sound, reconciler = make_turn(parts, lease), fanout.alarm.sound, parts.reconciler(lease)
    head = fanout.journal.head
    reconciler.expect(head.epoch, head.record)
    observer = Observer(parts.store, parts.survey, pulse=service.pulse, clock=boot_time, draw=random.random)
    nightly, drills = make_nightly(parts, turn, sound), make_drills(parts, turn, sound)
    return Loops(service, lease, Passes(time.time), reconciler, observer, nightly, drills)


def _daemon(parts: Parts, fanout: Fanout, loops: Loops) -> Daemon:
    settings, passes, lease = parts.settings, loops.passes, loops.lease
    report = Report(settings.source.path, parts.place)
    own = OwnKeys(parts.store, loops.reconciler, lease, passes, report, draw=random.random)
    return Daemon(
        Tip(parts.source, passes, report, worktree=settings.source.worktree),
        own,
        loops.reconciler,
        loops.observer,
        Telling(own, loops.reconciler, fanout.publisher, fanout.dispatcher, lease),
        fanout.dispatcher,
        fanout.discovery,
        [duty for duty in (loops.nightly, loops.drills) if duty],
        lease,
        report,
        loops.service,
        passes,
        interval=settings.store.reconcile,
        draw=random.random,
    )


def _door(parts: Parts, fanout: Fanout, loops: Loops) -> Door:
    return Door(
        _status(parts, fanout, loops),
        parts.source,
        parts.store,
        parts.survey,
        loops.reconciler,
        loops.observer,
        loops.passes,
        fanout.view,
        fanout.dispatcher,
        fanout.streams,
        fanout.backlog,
        late=loops.service.late,
        worktree=parts.settings.source.worktree,
        now=time.time,
    )


def _status(parts: Parts, fanout: Fanout, loops: Loops) -> Status:
    return Status(
        parts.source,
        parts.store,
        parts.survey,
        loops.reconciler,
        loops.lease,
        loops.passes,
        fanout.view,
        fanout.dispatcher,
        fanout.streams,
        loops.nightly,
        loops.drills,
        prefix=parts.settings.store.prefix,
        address=parts.address,
        now=time.time,
    )
