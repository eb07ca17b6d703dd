"""A progress bar for what takes long."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from syncd.log import coloured


@contextmanager
def progress_bar(label: str, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Give a function that takes (done, total) and draws a bar on standard error, if a person sees it there.

    The bar appears with the first call and is gone at the end of the block; a total may change on the way.
    """
    target = sys.stderr if stream is None else stream
    with ExitStack() as stack:
        bar: Callable[[int, int], None] | None = None

        def report(done: int, total: int) -> None:
            nonlocal bar
            if target.isatty():
                bar = bar or _start(label, target, stack)
                bar(done, total)

        yield report


def _start(label: str, target: TextIO, stack: ExitStack) -> Callable[[int, int], None]:
    from rich.console import Console  # noqa: PLC0415  # slow to load, and only for what takes long
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(file=target, color_system="auto" if coloured(target) else None)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = stack.enter_context(Progress(*columns, console=console, transient=True))
    task = progress.add_task(label)
    return lambda done, total: progress.update(task, completed=done, total=total)
