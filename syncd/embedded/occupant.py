"""Find out quickly who answers on a port that is taken."""

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout
from msgspec import Struct

_PATIENCE = ClientTimeout(total=1.0)
_MARK = "+syncd."
ANOTHER = "another syncd's store"


class _Config(Struct):
    Version: str


class _Agent(Struct):
    Config: _Config


async def describe(address: str) -> str:
    """Say what answers at ``address``, as a noun."""
    try:
        async with ClientSession(timeout=_PATIENCE) as session, session.get(f"{address}/v1/agent/self") as answer:
            version = msgspec.json.decode(await answer.read(), type=_Agent).Config.Version
    except msgspec.DecodeError:
        return "something that is not a Consul"
    except (TimeoutError, ClientError, OSError):
        return "something that does not answer as a Consul does"
    return ANOTHER if _MARK in version else f"a Consul {version} agent"
