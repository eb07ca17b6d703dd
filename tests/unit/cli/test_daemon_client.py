"""What a command makes of a daemon that is gone, busy, of another version, or no daemon at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from syncd.cli import daemon_client
from syncd.cli.daemon_client import DaemonBusy, DaemonError, NoDaemon, connect
from syncd.cli.sse import Frame, Frames
from syncd.settings import load

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def daemon(folder: Path, answer: Answer) -> AsyncIterator[daemon_client.Daemon]:
    """Serve one answer to every call, at a path longer than the kernel takes."""
    socket = folder / ("x" * 120) / "syncd.sock"
    socket.parent.mkdir()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    with daemon_client.short_path(socket) as path:
        await web.UnixSite(runner, path).start()
    try:
        settings = load({}, {"SYNCD_HTTP_SOCKET": str(socket), "HOME": str(folder)}, folder)
        async with connect(settings) as made:
            yield made
    finally:
        await runner.cleanup()


def refusing(status: int) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        error = {"message": "no", "where": "there", "hint": "do"}
        return web.json_response({"error": error}, status=status)

    return answer


def saying(text: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    return answer


@pytest.mark.parametrize(
    ("status", "kind", "code"), [(404, DaemonError, 1), (409, DaemonError, 1), (503, DaemonBusy, 75)]
)
async def test_a_no_of_the_daemon_is_told_in_its_own_words(
    tmp_path: Path, status: int, kind: type[DaemonError], code: int
) -> None:
    async with daemon(tmp_path, refusing(status)) as there:
        with pytest.raises(kind, match="no") as caught:
            await there.subscribers()
    assert (caught.value.where, caught.value.hint, caught.value.exit_code) == ("there", "do", code)


@pytest.mark.parametrize("text", ["<html>", "[]", '{"subscribers": 1}'])
async def test_an_answer_that_is_not_understood_says_so(tmp_path: Path, text: str) -> None:
    async with daemon(tmp_path, saying(text)) as there:
        with pytest.raises(DaemonError, match="not understood"):
            await there.subscribers()


async def test_a_daemon_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(daemon_client, "ANSWER_SECONDS", 0.1)
    async with daemon(tmp_path, hang) as there:
        with pytest.raises(NoDaemon, match="in time"):
            await there.status()


async def test_an_answer_that_breaks_off_is_a_daemon_that_is_gone(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"id: e-1\ndata: 1\n\nid: e-2\n")
        assert request.transport is not None
        request.transport.close()
        return response

    frames, found = Frames(), list[Frame]()
    async with daemon(tmp_path, answer) as there:
        with pytest.raises(NoDaemon, match="broke off"):
            await follow(there, frames, found.append)
    assert found == [Frame("e-1", b"1")]
    assert frames.id == "e-1"


async def test_a_stream_goes_on_behind_the_event_that_was_seen_last(tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.path_qs, request.headers.get("Last-Event-ID")))
        return web.Response(text="id: e-1\ndata: 1\n\n")

    frames = Frames()
    async with daemon(tmp_path, answer) as there:
        for prefix in ("", "a b/"):
            async with there.events(prefix, frames) as events:
                assert [event async for event in events] == [Frame("e-1", b"1")]
    assert asked == [("/api/v1/events", None), ("/api/v1/events?prefix=a+b/", "e-1")]


async def test_an_event_without_an_end_is_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.cli.sse.MOST_BYTES", 3)
    async with daemon(tmp_path, saying("data: much")) as there:
        with pytest.raises(NoDaemon, match="an event without an end"):
            async with there.events("", Frames()) as events:
                assert [event async for event in events] == []


async def test_what_goes_wrong_with_an_event_is_not_taken_for_the_daemons_end(tmp_path: Path) -> None:
    async with daemon(tmp_path, saying("id: e-1\ndata: 1\n\n")) as there:
        with pytest.raises(BrokenPipeError):
            await follow(there, Frames(), leave)


def leave(_: Frame) -> None:
    """Find that whoever read what we print is gone."""
    raise BrokenPipeError


async def follow(there: daemon_client.Daemon, frames: Frames, take: Callable[[Frame], None]) -> None:
    async with there.events("", frames) as events:
        async for event in events:
            take(event)


async def test_names_are_sent_so_that_they_stay_one(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        return web.json_response({"deliveries": []})

    async with daemon(tmp_path, answer) as there:
        assert await there.deliveries("a%2Fb/@n?", 3) == []
    assert asked == ["/api/v1/subscribers/a%252Fb%2F@n%3F/deliveries?most=3"]


async def test_a_socket_that_may_not_be_used_says_who_may(tmp_path: Path) -> None:
    error = daemon_client.Daemon(None, tmp_path)._gone(PermissionError())  # type: ignore[arg-type]  # root may use any
    assert "may not be used" in error.message
    assert "group" in error.hint


async def test_what_else_goes_wrong_is_named(tmp_path: Path) -> None:
    error = daemon_client.Daemon(None, tmp_path)._gone(OSError(5, "I/O error"))  # type: ignore[arg-type]  # hard to make
    assert error.message == "the daemon cannot be asked: I/O error"
