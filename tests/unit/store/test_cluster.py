"""Three servers: without a leader nothing is believed, and nothing is taken for written."""

import base64
import json
from pathlib import Path

import pytest

from syncd.core.errors import NoLeader, StoreError, UnknownOutcome, Unreachable
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.consul import leader_of, three_servers
from tests.support.waiting import until


async def test_without_a_quorum_a_cluster_answers_nothing_and_resumes(tmp_path: Path) -> None:
    with three_servers(tmp_path) as servers:
        leader = leader_of(servers)
        watcher, other = (server for server in servers if server is not leader)
        leader.put("p/a", b"1")
        body = json.dumps([{"KV": {"Verb": "set", "Key": "p/b", "Value": base64.b64encode(b"2").decode()}}]).encode()
        async with Store(resolve_endpoint({}, address=watcher.address), "p", patience=60) as store:
            assert set((await store.listing()).entries) == {"a"}

            leader.kill()
            other.kill()
            for call in (store.listing(), store.get("a"), store.get("nothing")):
                with pytest.raises((NoLeader, Unreachable)):
                    await call
            with pytest.raises((NoLeader, UnknownOutcome)):
                await store.transact(body)

            other.launch()

            async def serves() -> bool:
                try:
                    return set((await store.listing()).entries) >= {"a"}
                except StoreError:
                    return False

            await until(serves, "the two that are left elect a leader")
            assert await store.leader() in {other.raft_address, watcher.raft_address}
