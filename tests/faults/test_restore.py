"""A restore that fails on its way: before the store is asked nothing stays, afterwards the pause does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from syncd.core.errors import Conflict, SnapshotError, StoreError, UnknownOutcome
from syncd.core.record import Applying, Record, encode
from syncd.core.snapshots.records import Kind
from syncd.daemon import orders, restore
from syncd.daemon.lease import Lease
from syncd.daemon.restore import Restore
from syncd.embedded.server import start
from syncd.snapshots import reading
from syncd.snapshots.folder import Folder
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from syncd.wiring.process import boot_time
from tests.support.proxy import Proxy, after, answer, cut, drop_reply, proxy_to, request_to
from tests.support.waiting import until

SNAPSHOT: Final = "/v1/snapshot"


class Scene:
    """An embedded store behind a proxy, and a snapshot of it."""

    def __init__(self, store: Store, direct: Store, proxy: Proxy, folder: Path) -> None:
        self.direct = direct
        self.proxy = proxy
        self.folder = Folder(folder)
        lease = Lease(store, None, value=b'{"holder":"restore","since":1}', ttl=10, clock=boot_time)
        self.made = Restore(
            store, self.folder, lease, prefix="app", zone=ZoneInfo("America/New_York"), draw_id=lambda: "drawn"
        )
        self.path = folder.with_name("theirs.snap")

    async def save(self) -> None:
        async with self.direct.snapshot() as pieces:
            self.path.write_bytes(b"".join([piece async for piece in pieces]))

    async def restore(self) -> restore.Done:
        found = reading.verify(self.path, "app")
        return await self.made.restore(self.path, found, "Ana", wipe=False, now=1_795_651_200, progress=lambda _: None)

    async def paused(self) -> bool:
        return (await orders.read(self.direct)).pause is not None

    async def value(self) -> bytes | None:
        entry = await self.direct.get("a")
        return entry.value if entry else None


@asynccontextmanager
async def scene_in(folder: Path) -> AsyncIterator[Scene]:
    server = await start(folder / "store.db", port=0)
    with proxy_to(server.address) as proxy:
        async with (
            Store(resolve_endpoint({}, address=proxy.address), "app", patience=5) as store,
            Store(resolve_endpoint({}, address=server.address), "app") as direct,
        ):
            found = Scene(store, direct, proxy, folder / "kept")
            index = await direct.put_cas("a", b"then", 7, 0)
            await found.save()
            await direct.put_cas("a", b"now", 0, index)
            yield found
    await server.close()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene_in(tmp_path) as found:
        yield found


async def test_all_goes_well_without_faults(scene: Scene) -> None:
    done = await scene.restore()
    assert (await scene.value(), done.doubt) == (b"then", "")
    assert await scene.paused()
    assert [entry.value for entry in reading.entries(done.before, "app/a")] == [b"now"]
    assert done.before.name.startswith("consul-20261125-"), "in the zone of snapshots it is evening"
    lease = await scene.direct.own("lease")
    assert lease is None or not lease.session


async def test_when_what_is_there_cannot_be_kept_nothing_is_replaced(scene: Scene) -> None:
    scene.proxy.when(request_to("GET", SNAPSHOT), cut(100))
    with pytest.raises(StoreError):
        await scene.restore()
    assert await scene.value() == b"now"
    assert not await scene.paused()
    lease = await scene.direct.own("lease")
    assert lease is not None
    assert not lease.session


async def test_a_pause_of_somebody_else_stays(scene: Scene) -> None:
    await orders.pause(scene.direct, "Bea", "", 1)
    scene.proxy.when(request_to("GET", SNAPSHOT), cut(100))
    with pytest.raises(StoreError):
        await scene.restore()
    assert await scene.paused()


async def test_a_refused_restore_leaves_the_store_and_the_pause(scene: Scene) -> None:
    scene.proxy.when(request_to("PUT", SNAPSHOT), answer(500, b"No cluster leader"))
    with pytest.raises(StoreError) as raised:
        await scene.restore()
    assert "stays paused" in raised.value.hint
    assert await scene.value() == b"now"
    assert await scene.paused()


async def test_a_lost_answer_leaves_the_pause_on_what_was_restored(scene: Scene) -> None:
    scene.proxy.when(request_to("PUT", SNAPSHOT), drop_reply)
    with pytest.raises(UnknownOutcome) as raised:
        await scene.restore()
    assert str(scene.folder.path) in raised.value.hint
    assert await scene.value() == b"then"
    assert await scene.paused()


async def test_what_cannot_be_seen_to_afterwards_is_told(scene: Scene) -> None:
    def deny() -> None:
        scene.proxy.when(request_to("GET", "/v1/kv/"), answer(403, b"ACL not found"), times=None)

    scene.proxy.when(request_to("PUT", SNAPSHOT), after(deny))
    assert "ACL not found" in (await scene.restore()).doubt
    assert await scene.value() == b"then"
    assert await scene.paused()


async def test_a_file_that_was_changed_since_it_was_looked_at_is_refused(scene: Scene) -> None:
    found = reading.verify(scene.path, "app")
    await scene.save()
    with pytest.raises(SnapshotError):
        await scene.made.restore(scene.path, found, "Ana", wipe=False, now=1, progress=lambda _: None)
    assert not await scene.paused()


async def begin(scene: Scene) -> str:
    """Have another node lead, in the middle of an apply."""
    session = await scene.direct.create_session("other", 60)
    await scene.direct.acquire(session, b'{"holder":"other","since":1}')
    record = Record(1, "s", "l", 1, "e", None, Applying("c0ffee1", 1))
    await scene.direct.put_own("revision", encode(record), index=0)
    return session


async def test_an_apply_that_never_ends_is_not_cut_off(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await begin(scene)
    monkeypatch.setattr(restore, "SETTLE_SECONDS", 0.3)
    with pytest.raises(Conflict, match="does not come to its end"):
        await scene.restore()
    assert not await scene.paused()
    assert await scene.direct.renew_session(session)


async def test_an_apply_that_is_under_way_is_waited_for(scene: Scene) -> None:
    await begin(scene)
    restoring = asyncio.create_task(scene.restore())
    await until(scene.paused, "the pause")
    assert await scene.value() == b"now"
    entry = await scene.direct.own("revision")
    assert entry is not None
    await scene.direct.put_own("revision", encode(Record(1, "s", "l", 1, "e")), index=entry.index)
    await restoring
    assert await scene.value() == b"then"


async def test_whoever_led_writes_no_more(scene: Scene) -> None:
    session = await scene.direct.create_session("other", 60)
    await scene.direct.acquire(session, b'{"holder":"other","since":1}')
    await scene.restore()
    assert not await scene.direct.renew_session(session)
    assert await scene.value() == b"then"


async def test_a_look_keeps_nothing_and_says_what_is_there(scene: Scene) -> None:
    seen = await scene.made.look(lambda _: None)
    assert [(entry.key, entry.value) for entry in seen.entries] == [("app/a", b"now")]
    assert (seen.empty, seen.own_sessions) == (False, 0)
    assert not scene.folder.path.exists()


async def test_what_would_be_lost_is_refused_unless_it_may_be_wiped(scene: Scene) -> None:
    await scene.direct.create_session("theirs", 60)
    seen, found = await scene.made.look(lambda _: None), reading.verify(scene.path, "app").contents
    with pytest.raises(restore.Refused, match="no sessions"):
        await scene.made.demand(scene.path, found, seen, wipe=False)
    await scene.made.demand(scene.path, found, seen, wipe=True)
    unknown = replace(found, kinds={"unknown (99)": Kind(1, 1)})
    with pytest.raises(restore.Refused, match="unknown"):
        await scene.made.demand(scene.path, unknown, seen, wipe=True)
    with pytest.raises(restore.Refused, match="a snapshot of a Consul"):
        await scene.made.demand(scene.path, replace(found, embedded=False), seen, wipe=True)


async def test_a_record_that_cannot_be_read_keeps_nobody_from_a_restore(scene: Scene) -> None:
    session = await scene.direct.create_session("other", 60)
    await scene.direct.acquire(session, b'{"holder":"other","since":1}')
    await scene.direct.put_own("revision", b"{", index=0)
    await scene.restore()
    assert await scene.value() == b"then"
