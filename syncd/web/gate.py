"""Every call's way in: the name it calls us by, the route, who calls, and then the answer."""

from typing import Final

from aiohttp import web

from syncd.core.errors import SyncdError
from syncd.daemon.door import Door
from syncd.log import get_logger
from syncd.web import answers
from syncd.web.answers import Refusal
from syncd.web.calls import Call
from syncd.web.connections import Connection
from syncd.web.hosts import Hosts
from syncd.web.routes import ROUTES, Route, Table
from syncd.web.tokens import Caller, Scope, Tokens, TokensError

log = get_logger(__name__)

LOCAL: Final = Caller("a person on this machine", Scope.ADMIN)
_REALM: Final = {"WWW-Authenticate": 'Bearer realm="syncd"'}


class Gate:
    """Answers the calls of one listener.

    ``hosts`` None: whatever name they use. ``tokens`` None: who reaches the listener is trusted.
    """

    def __init__(self, door: Door, hosts: Hosts | None, tokens: Tokens | None) -> None:
        self._door = door
        self._hosts = hosts
        self._tokens = tokens
        self._table = Table(ROUTES)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a call."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.begin()
        try:
            return await self._answer(request)
        except Refusal as refusal:
            response = answers.refusal(refusal)
        except SyncdError as error:
            response = answers.error(error)
        finally:
            connection.end()
        if not request.content.is_eof():  # what is still to come of the body is not worth reading
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._demand_host(request)
        raw = request.raw_path.partition("?")[0]
        found = self._table.find(request.method, raw)
        caller = self._demand_scope(request, found.route)
        return await found.route.answer(self._door, Call(request, caller, found.path, found.route.parameters))

    def _demand_host(self, request: web.BaseRequest) -> None:
        """Refuse a page that points its own name at this machine (DNS rebinding)."""
        if self._hosts is None:
            return
        given = request.headers.getall("Host", [])
        if len(given) != 1:
            raise Refusal(400, "a call names one Host", where="Host")
        called = request.transport.get_extra_info("sockname") if request.transport else None
        if not self._hosts.allow(given[0], called[0] if called else ""):
            hint = "call it by an address of this machine, or allow the name: http.hosts"
            raise Refusal(421, "this daemon is not known by that name", where=f"Host: {given[0][:200]}", hint=hint)

    def _demand_scope(self, request: web.BaseRequest, route: Route) -> Caller:
        if self._tokens is None or route.scope is Scope.NONE:
            return LOCAL
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            caller = self._tokens.find(token.strip()) if kind.lower() == "bearer" else None
        except TokensError:
            raise Refusal(503, "tokens cannot be checked at the moment", hint="the daemon's log says why") from None
        if caller is None:
            hint = "send the header Authorization: Bearer TOKEN"
            raise Refusal(401, "this call needs a token that is known", hint=hint, headers=_REALM)
        if caller.scope < route.scope:
            raise Refusal(403, f"{caller.name} may not do this: it takes the scope {route.scope.word}")
        return caller
