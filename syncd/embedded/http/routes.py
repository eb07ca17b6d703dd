"""From a path and a method to the function that answers."""

import posixpath
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from aiohttp.web import BaseRequest, Response, StreamResponse

from syncd.embedded.errors import Invalid, NotStored
from syncd.embedded.http import agent, answers, kv, session, snapshot, txn
from syncd.embedded.http.answers import Problem
from syncd.embedded.http.call import Call
from syncd.embedded.node import Node

Route = Mapping[str, Callable[[Node, Call], Awaitable[StreamResponse]]]

_EXACT: dict[bytes, Route] = {
    b"/": {"GET": agent.root},
    b"/v1/txn": {"PUT": txn.put},
    b"/v1/snapshot": {"GET": snapshot.get, "PUT": snapshot.put},
    b"/v1/session/create": {"PUT": session.create},
    b"/v1/session/list": {"GET": session.listing},
    b"/v1/status/leader": {"GET": agent.leader},
    b"/v1/status/peers": {"GET": agent.peers},
    b"/v1/agent/self": {"GET": agent.about},
    b"/v1/agent/members": {"GET": agent.members},
    b"/v1/catalog/datacenters": {"GET": agent.datacenters},
    b"/v1/internal/acl/authorize": {"POST": agent.authorize},
}
_BELOW: dict[bytes, Route] = {
    b"/v1/kv/": {"GET": kv.get, "PUT": kv.put, "DELETE": kv.delete},
    b"/v1/session/info/": {"GET": session.info},
    b"/v1/session/node/": {"GET": session.of_node},
    b"/v1/session/renew/": {"PUT": session.renew},
    b"/v1/session/destroy/": {"PUT": session.destroy},
}


async def answer(node: Node, request: BaseRequest) -> StreamResponse:
    """Answer a request; what the store refuses becomes Consul's status and text."""
    try:
        return await _answer(node, Call(request))
    except Problem as problem:
        response = answers.text(problem.status, problem.text)
        if problem.close:
            response.force_close()
        return response
    except (Invalid, NotStored) as problem:
        return answers.text(500, str(problem))


async def _answer(node: Node, call: Call) -> StreamResponse:
    if b"//" in call.path or b"/." in call.path:
        clean = _cleaned(call.path)
        if clean != call.path:
            return _redirect(clean, call)
    route = _route(call)
    if route is None:
        return _redirect(call.path + b"/", call) if call.path + b"/" in _BELOW else answers.missing()
    function = route.get(call.method)
    return await function(node, call) if function else _other_method(route, call.method)


def _route(call: Call) -> Route | None:
    exact = _EXACT.get(call.path)
    if exact:
        return exact
    for start, route in _BELOW.items():
        if call.path.startswith(start):
            call.rest = call.path[len(start) :]
            return route
    return None


def _other_method(route: Route, method: str) -> Response:
    allow = {"Allow": ",".join(("OPTIONS", *route))}
    if method == "OPTIONS":
        return Response(headers=allow)
    return answers.text(405, f"method {method} not allowed", allow)


def _cleaned(path: bytes) -> bytes:
    """Clean a path as Go's router does before it looks at it."""
    clean = posixpath.normpath(b"/" + path.lstrip(b"/"))
    return clean + b"/" if path.endswith(b"/") and clean != b"/" else clean


def _redirect(path: bytes, call: Call) -> Response:
    location = quote(path, safe="/$&+,:;=@") + (f"?{call.search}" if call.search else "")
    if call.method != "GET":
        return Response(status=301, headers={"Location": location})
    html = f'<a href="{location}">Moved Permanently</a>.\n\n'
    return Response(status=301, text=html, content_type="text/html", headers={"Location": location})
