"""``/api/v1/events``: what changes, as server-sent events, from where a client was when it went."""

from typing import Final, cast

from aiohttp.web import StreamResponse

from syncd.core.errors import StateError
from syncd.core.mapping.globs import MOST_WILDCARDS, is_costly
from syncd.core.subscriber import Filter
from syncd.daemon.backlog import Backlog
from syncd.daemon.door import Door
from syncd.fanout.stream import NOT_YET, Channel, Stream, Transport
from syncd.log import get_logger
from syncd.web import answers
from syncd.web.answers import Refusal
from syncd.web.calls import Call

log = get_logger(__name__)

RETRY_MILLISECONDS: Final = 2000
_MOST_PATTERNS: Final = 20


async def follow(door: Door, call: Call) -> StreamResponse:
    """Tell what changes, until the client goes."""
    request = call.request
    filter_ = _filter(call)
    chunked = request.version >= (1, 1)
    response = StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"})
    response.headers.update(answers.SERVER)
    response.headers["X-Accel-Buffering"] = "no"  # nginx would keep small events back
    response.force_close()
    call.connection.stream()
    await response.prepare(request)
    transport = request.transport
    if transport is None:
        return response
    stream = Stream(cast("Transport", transport), Channel(filter_, call.flag("values", default=True), chunked))
    try:
        stream.write(b"retry: %d\n: following\n\n" % RETRY_MILLISECONDS)
        door.streams.join(stream, NOT_YET)  # it is shown that the connection lives, also while nothing is known yet
        await door.ready()
        if not door.passes.stopping:
            await door.backlog.join(door.streams, stream, await _from(door.backlog, stream, call))
            await stream.ended.wait()
    except StateError as error:  # it comes back with what it saw last
        log.warning("a stream ended: what it missed cannot be read", why=error.message, hint=error.hint)
    finally:
        door.streams.leave(stream)
    return response


async def _from(backlog: Backlog, stream: Stream, call: Call) -> int | None:
    """Return the event that the client saw last; None: it is to get the full state."""
    seen = call.header("Last-Event-ID") or call.text("last_event_id")
    if seen:
        return await backlog.find(seen)
    if call.flag("full", default=False):
        return None
    seq, id_ = backlog.last
    stream.write(b"id: %b\n\n" % id_.encode())  # who goes before the first event comes back to here
    return seq


def _filter(call: Call) -> Filter:
    prefixes, patterns = call.texts("prefix"), call.texts("match")
    if call.text("about") == "snapshots":
        if prefixes or patterns:
            raise Refusal(400, "a snapshot has no key: leave prefix and match out", where="?about=")
        return Filter(about="snapshots")
    if len(prefixes) + len(patterns) > _MOST_PATTERNS:
        raise Refusal(400, f"at most {_MOST_PATTERNS} prefixes and patterns", where="?match=")
    if any(map(is_costly, patterns)):
        raise Refusal(400, f"at most {MOST_WILDCARDS} wildcards in a pattern", where="?match=")
    if "" in prefixes:
        return Filter()
    found = Filter(prefixes, patterns)
    try:
        found.test()
    except ValueError as error:
        raise Refusal(400, f"this pattern cannot be read: {error}", where="?match=") from None
    return found
