"""Services registered with a real agent, as deployments do it."""

import itertools
import json
import uuid
from typing import Any
from urllib.parse import quote

from tests.support.consul import ConsulAgent
from tests.support.waiting import wait_until


class Services:
    """Registers services through the agent's API, and waits until the catalog has them; ``close`` takes them all back.

    ``node`` is the agent's name.
    """

    def __init__(self, agent: ConsulAgent) -> None:
        self.agent = agent
        self.node: str = agent.json("GET", "/v1/agent/self")["Config"]["NodeName"]
        self._names: dict[str, str] = {}
        self._ports = itertools.count(1)

    def register(
        self,
        name: str | None = None,
        *,
        meta: dict[str, str] | None = None,
        id_: str = "",
        address: str = "127.0.0.1",
        port: int = 0,
        **more: Any,
    ) -> str:
        """Register a service, by default one of a new name, at a port of its own; return its name."""
        name = name or f"test-{uuid.uuid4().hex[:8]}"
        id_ = id_ or name
        self._names[id_] = name
        port = port or next(self._ports)
        body = {
            "ID": id_,
            "Name": name,
            "Address": address,
            "Port": port,
            "Meta": meta or {},
            **more,
        }
        status, _, said = self.agent.request("PUT", "/v1/agent/service/register", json.dumps(body).encode())
        assert status == 200, said
        wait_until(lambda: self._listed(name).get(id_) == (port, body["Meta"]), f"{id_} is in the catalog")
        return name

    def deregister(self, id_: str) -> None:
        """Take a service back."""
        name = self._names.pop(id_, id_)
        status, _, said = self.agent.request("PUT", f"/v1/agent/service/deregister/{quote(id_, safe='')}")
        assert status == 200, said
        wait_until(lambda: id_ not in self._listed(name), f"{id_} is not in the catalog")

    def _listed(self, name: str) -> dict[str, tuple[int, dict[str, str]]]:
        """Return port and meta of a service's instances by their ids."""
        found = self.agent.json("GET", f"/v1/catalog/service/{quote(name, safe='')}")
        return {each["ServiceID"]: (each["ServicePort"], each["ServiceMeta"]) for each in found}

    def close(self) -> None:
        """Take every service back."""
        for id_ in tuple(self._names):
            self.deregister(id_)


def asks(prefix: str = "brain/", path: str = "/config-changed", **more: str) -> dict[str, str]:
    """Write the meta of a service that asks to be told."""
    return {"syncd-path": path, "syncd-prefix": prefix, **more}
