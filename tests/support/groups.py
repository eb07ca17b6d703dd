"""Which processes live."""

from pathlib import Path

from tests.support.waiting import until


def living(group: int) -> list[str]:
    """Name the processes of a group that still run; what has ended and waits for its parent does not."""
    found = []
    for process in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = process.read_text().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue
        state, _, its_group = rest.split()[:3]
        if int(its_group) == group and state != "Z":
            found.append(name)
    return found


async def gone(group: int) -> None:
    """Wait until nothing of a group lives: who is killed ends a moment later."""

    async def ended() -> bool:
        return not living(group)

    await until(ended, f"{living(group)} still live")


async def number_in(file: Path) -> int:
    """Wait for a process to write a number and a line's end into a file."""
    text = ""

    async def written() -> bool:
        nonlocal text
        text = _text(file)
        return text.endswith("\n")

    await until(written, f"nothing in {file}")
    return int(text)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""
