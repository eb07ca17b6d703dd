"""Running a command's coroutine."""

import subprocess
from collections.abc import Callable

import uvloop

from syncd.cli.running import run

Process = Callable[..., subprocess.CompletedProcess[str]]


def test_it_returns_what_the_coroutine_does_on_uvloop() -> None:
    async def loop_type() -> type:
        import asyncio

        return type(asyncio.get_running_loop())

    assert run(loop_type()) is uvloop.Loop


def test_ctrl_c_lets_the_coroutine_clean_up_first(process: Process) -> None:
    code = """
import asyncio, os, signal
from syncd.cli.running import run

async def wait() -> None:
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up")

try:
    run(wait())
except KeyboardInterrupt:
    print("interrupted")
"""
    assert process(code=code).stdout == "cleaned up\ninterrupted\n"
