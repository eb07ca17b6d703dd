"""What a token may not do is an error, never an emptier answer."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.core.errors import Denied
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.consul import ConsulAgent, start_agent

PAGE = Path(__file__).resolve().parents[3] / "docs/consul-compatibility.md"
WRITE = 'key_prefix "app/" { policy = "write" }'


@pytest.fixture(scope="module")
def guarded() -> Iterator[ConsulAgent]:
    with start_agent(acl=True) as agent:
        agent.put("app/a", b"1")
        agent.put("app/hidden/b", b"2")
        yield agent


def store_as(agent: ConsulAgent, token: str = "") -> Store:
    return Store(resolve_endpoint({"CONSUL_HTTP_ADDR": agent.address, "CONSUL_HTTP_TOKEN": token}), "app")


def put(key: str) -> bytes:
    return json.dumps([{"KV": {"Verb": "set", "Key": key, "Value": base64.b64encode(b"x").decode()}}]).encode()


async def test_a_missing_token_sees_an_empty_tree_but_may_not_write(guarded: ConsulAgent) -> None:
    async with store_as(guarded) as store:
        assert (await store.listing()).entries == {}
        assert not await store.may_write()


async def test_a_token_that_sees_a_part_may_not_write(guarded: ConsulAgent) -> None:
    token = guarded.make_token(WRITE + 'key_prefix "app/hidden/" { policy = "deny" }')
    async with store_as(guarded, token) as store:
        assert set((await store.listing()).entries) == {"a"}
        assert not await store.may_write()
        with pytest.raises(Denied):
            await store.get("hidden/b")


async def test_a_token_that_only_reads_may_not_write(guarded: ConsulAgent) -> None:
    token = guarded.make_token('key_prefix "app/" { policy = "read" }')
    async with store_as(guarded, token) as store:
        assert set((await store.listing()).entries) == {"a", "hidden/b"}
        assert not await store.may_write()
        with pytest.raises(Denied, match="may not"):
            await store.transact(put("app/c"))
        with pytest.raises(Denied):
            await store.put_cas("c", b"x", 0, 0)
        with pytest.raises(Denied):
            await store.create_session("syncd", 15)
    assert guarded.get("app/c") is None


async def test_one_denied_key_denies_the_whole_transaction(guarded: ConsulAgent) -> None:
    token = guarded.make_token(WRITE)
    both = put("app/c")[:-1] + b"," + put("elsewhere/c")[1:]
    async with store_as(guarded, token) as store:
        with pytest.raises(Denied):
            await store.transact(both)
    assert guarded.get("app/c") is None


async def test_the_right_to_a_prefix_counts_for_keys_below_it_alone(guarded: ConsulAgent) -> None:
    async with store_as(guarded, guarded.make_token(WRITE)) as store:
        assert await store.may_write()
    async with store_as(guarded, guarded.make_token('key_prefix "app/a" { policy = "write" }')) as store:
        assert not await store.may_write()


async def test_a_token_that_was_narrowed_is_noticed(guarded: ConsulAgent) -> None:
    token = guarded.make_token(WRITE)
    async with store_as(guarded, token) as store:
        assert await store.may_write()
        guarded.narrow(token, 'key_prefix "app/a" { policy = "read" }')
        assert not await store.may_write()
        assert set((await store.listing()).entries) == {"a"}


async def test_a_revoked_token_is_denied_everything(guarded: ConsulAgent) -> None:
    token = guarded.make_token(WRITE)
    async with store_as(guarded, token) as store:
        await store.listing()
        guarded.revoke(token)
        for call in (store.listing(), store.get("a"), store.may_write(), store.transact(put("app/c"))):
            with pytest.raises(Denied) as caught:
                await call
            assert token not in str(caught.value)


async def test_a_token_in_a_file_is_replaced_without_a_restart(guarded: ConsulAgent, tmp_path: Path) -> None:
    old, new = guarded.make_token(WRITE), guarded.make_token(WRITE)
    (file := tmp_path / "token").write_text(old)
    async with Store(resolve_endpoint({}, address=guarded.address, token_file=str(file)), "app") as store:
        assert await store.may_write()
        stamp = file.stat().st_mtime_ns
        guarded.revoke(old)
        with pytest.raises(Denied):
            await store.transact(put("app/c"))
        file.write_text(new)
        assert await store.transact(put("app/c")) > 0
        assert file.stat().st_mtime_ns > stamp
    guarded.delete("app/c")


async def test_a_refused_request_is_sent_again_with_the_token_that_stands_in_the_file_by_then(
    guarded: ConsulAgent, tmp_path: Path
) -> None:
    old, new = guarded.make_token(WRITE), guarded.make_token(WRITE)
    (file := tmp_path / "token").write_text(old)
    stamp = file.stat()
    async with Store(resolve_endpoint({}, address=guarded.address, token_file=str(file)), "app") as store:
        guarded.revoke(old)
        file.write_text(new)
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert await store.put_cas("c", b"x", 0, 0) > 0
    guarded.delete("app/c")


async def test_the_policy_of_the_documentation_is_enough(guarded: ConsulAgent) -> None:
    rules = PAGE.read_text().split("```hcl\n")[1].split("```")[0]
    rules = rules.replace("<prefix>", "app").replace("<node>", guarded.name)
    async with store_as(guarded, guarded.make_token(rules)) as store:
        assert await store.may_write()
        assert len((await store.listing()).entries) == 2
        session = await store.create_session("syncd", 15)
        assert await store.acquire(session, b"me")
        assert await store.renew_session(session)
        assert await store.transact(put("app/c")) > 0
        assert await store.release(session)
        await store.destroy_session(session)
        assert "1." in await store.describe()
    for key in ("app/c", "app/.syncd/lease"):
        guarded.delete(key)
