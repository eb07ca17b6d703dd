"""What the store holds, as a test asserts it: read straight from the agent."""

import base64
import json
from typing import Any, Final

from syncd.core import record
from syncd.core.live import Entry
from syncd.core.record import Record
from tests.support.consul import ConsulAgent

OWN: Final = ".syncd/"


class Live:
    """One prefix of a real store."""

    def __init__(self, agent: ConsulAgent, prefix: str) -> None:
        self.agent = agent
        self.prefix = prefix

    def all(self) -> dict[str, Entry]:
        """Every key below the prefix by its relative name, syncd's own ones included."""
        status, _, body = self.agent.request("GET", f"/v1/kv/{self.prefix}/?recurse&consistent")
        if status == 404:
            return {}
        assert status == 200, body
        return {each["Key"][len(self.prefix) + 1 :]: _entry(each) for each in json.loads(body)}

    def entries(self) -> dict[str, Entry]:
        """The configuration."""
        return {key: entry for key, entry in self.all().items() if not key.startswith(OWN)}

    def values(self) -> dict[str, bytes]:
        """The configuration's values."""
        return {key: entry.value for key, entry in self.entries().items()}

    def created(self) -> dict[str, int]:
        """When each key of the configuration was made: a key that was ever gone has another index since."""
        found = self.agent.json("GET", f"/v1/kv/{self.prefix}/?recurse&consistent")
        keys = {each["Key"][len(self.prefix) + 1 :]: each["CreateIndex"] for each in found}
        return {key: index for key, index in keys.items() if not key.startswith(OWN)}

    def record(self) -> Record | None:
        """The control record."""
        text = self.agent.get(f"{self.prefix}/.syncd/revision")
        return None if text is None else record.decode(text)

    def applied(self) -> str | None:
        """The commit that the store holds whole, None while one is being applied."""
        found = self.record()
        return found.applied.commit if found and found.applied and found.applying is None else None

    def put(self, key: str, value: str | bytes, *, flags: int | None = None) -> None:
        """Write a key as a stranger would."""
        self.agent.put(f"{self.prefix}/{key}", value, flags=flags)

    def delete(self, key: str) -> None:
        """Delete a key as a stranger would."""
        self.agent.delete(f"{self.prefix}/{key}")


def without_lease(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Leave out what changes with every holder."""
    return {key: entry for key, entry in entries.items() if key != f"{OWN}lease"}


def _entry(found: dict[str, Any]) -> Entry:
    value = base64.b64decode(found["Value"] or "")
    return Entry(value, found["Flags"], found["ModifyIndex"], found.get("Session", ""))
