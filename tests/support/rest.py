"""A bare client of Consul's HTTP API: requests as they are written, answers as they come."""

import asyncio
import base64
import json
import uuid
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from tests.support.consul import consul_version


def takes_any_key() -> bool:
    """Tell whether the Consul of this run takes keys with spaces, accents or dot segments; newer ones do not."""
    return consul_version() < (1, 21, 0)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode().strip()

    @property
    def index(self) -> int:
        return int(self.headers["X-Consul-Index"])


class Rest:
    """A store at ``address``; ``prefix`` is a place of the test's own in it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.prefix = f"test/{uuid.uuid4().hex[:12]}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=60)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | Any = None,
        *,
        headers: dict[str, str] | None = None,
        chunked: bool | None = None,
    ) -> Answer:
        """Send ``path`` byte for byte as given; a body that is not bytes is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = URL(self.address + path, encoded=True)
        async with self._session.request(
            method, url, data=content, headers=headers, chunked=chunked, allow_redirects=False
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    # -- keys below the test's own prefix

    def path(self, key: str, query: str = "") -> str:
        return f"/v1/kv/{self.prefix}/{key}" + (f"?{query}" if query else "")

    async def get(self, key: str, query: str = "") -> Answer:
        return await self.call("GET", self.path(key, query))

    async def put(self, key: str, value: bytes = b"", query: str = "") -> Answer:
        return await self.call("PUT", self.path(key, query), value)

    async def delete(self, key: str, query: str = "") -> Answer:
        return await self.call("DELETE", self.path(key, query))

    async def entry(self, key: str) -> dict[str, Any]:
        """Return the one entry of a key that is there, its value decoded and its key relative."""
        answer = await self.get(key)
        assert answer.status == 200, answer
        (found,) = answer.json
        value = base64.b64decode(found["Value"] or "")
        return {**found, "Key": found["Key"].removeprefix(f"{self.prefix}/"), "Value": value}

    async def index(self, key: str) -> int:
        """Return the ModifyIndex of a key that is there."""
        return int((await self.entry(key))["ModifyIndex"])

    def parked(self, key: str, query: str) -> asyncio.Task[Answer]:
        """Send a blocking query and go on."""
        return asyncio.create_task(self.get(key, query))

    # -- transactions and sessions

    async def transact(self, *operations: dict[str, Any]) -> Answer:
        """Send KV operations on relative keys; ``Value`` is bytes."""
        return await self.call("PUT", "/v1/txn", [{"KV": self._wire(each)} for each in operations])

    def _wire(self, operation: dict[str, Any]) -> dict[str, Any]:
        value = operation.get("Value")
        encoded = {} if value is None else {"Value": base64.b64encode(value).decode()}
        return {**operation, "Key": f"{self.prefix}/{operation['Key']}", **encoded}

    async def session(self, **fields: object) -> str:
        """Make a session without checks or lock delay, unless ``fields`` say otherwise."""
        answer = await self.call("PUT", "/v1/session/create", {"LockDelay": "0s", "Checks": [], **fields})
        assert answer.status == 200, answer
        return str(answer.json["ID"])

    async def destroy(self, session: str) -> Answer:
        return await self.call("PUT", f"/v1/session/destroy/{session}")
