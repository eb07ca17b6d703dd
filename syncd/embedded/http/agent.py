"""What clients ask an agent about itself, as far as a single node has an answer."""

from aiohttp.web import Response

import syncd
from syncd.embedded.http import answers
from syncd.embedded.http.answers import Problem
from syncd.embedded.http.call import Call
from syncd.embedded.http.reads import DATACENTER
from syncd.embedded.node import Node
from syncd.embedded.sessions import NODE

_LEADER = "127.0.0.1:8300"
_MEMBER = {
    "Name": NODE,
    "Addr": "127.0.0.1",
    "Port": 8301,
    "Tags": {"role": "consul", "dc": DATACENTER, "bootstrap": "1", "build": f"{syncd.__version__}:", "acls": "0"},
    "Status": 1,
}


async def root(_node: Node, _call: Call) -> Response:
    """Say what this is."""
    return answers.text(200, "syncd's embedded store")


async def leader(_node: Node, call: Call) -> Response:
    """Name the leader: this node, always."""
    return answers.json(_LEADER, pretty=call.has("pretty"))


async def peers(_node: Node, call: Call) -> Response:
    """Name the servers."""
    return answers.json([_LEADER], pretty=call.has("pretty"))


async def about(_node: Node, call: Call) -> Response:
    """Describe the agent; its version tells that it is no Consul."""
    config = {
        "Datacenter": DATACENTER,
        "NodeName": NODE,
        "Revision": "",
        "Server": True,
        "Version": f"{syncd.__version__}+syncd.embedded",
    }
    about = {"Config": config, "DebugConfig": {}, "Coord": None, "Member": _MEMBER, "Stats": {}, "Meta": {}}
    return answers.json(about, pretty=call.has("pretty"))


async def members(_node: Node, call: Call) -> Response:
    """List the one member."""
    return answers.json([_MEMBER], pretty=call.has("pretty"))


async def datacenters(_node: Node, call: Call) -> Response:
    """List the one datacenter."""
    return answers.json([DATACENTER], pretty=call.has("pretty"))


async def authorize(_node: Node, _call: Call) -> Response:
    """Say that nothing is forbidden, in Consul's words."""
    raise Problem(401, "ACL support disabled")
