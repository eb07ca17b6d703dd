"""Running a command's coroutine."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end on uvloop; Ctrl-C cancels it first and then raises KeyboardInterrupt."""
    import uvloop  # noqa: PLC0415  # brings asyncio along, which few of the short commands need

    return uvloop.run(coroutine)
