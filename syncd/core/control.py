"""People's orders at ``.syncd/control``: an approval, a pause."""

from typing import Annotated, Final

import msgspec

from syncd.core.documents import UNREADABLE, format_of
from syncd.core.errors import RecordError

FORMAT: Final = 1
APPROVAL_SECONDS: Final = 3600

Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
"""Unix seconds up to the end of the year 9999: later ones cannot be shown as a date."""


class Approval(msgspec.Struct, frozen=True):
    """Lets exactly the plan of that hash through its guards until ``expires`` (Unix seconds)."""

    hash: str
    author: str
    expires: Seconds


class Pause(msgspec.Struct, frozen=True, omit_defaults=True):
    """No writes until it is lifted; ``since`` in Unix seconds."""

    author: str
    since: Seconds
    reason: str = ""


class Control(msgspec.Struct, frozen=True, omit_defaults=True):
    """The standing orders."""

    format: int = FORMAT
    approval: Approval | None = None
    pause: Pause | None = None

    def approves(self, now: float) -> str | None:
        """Return the approved plan's hash while the approval stands."""
        if self.approval is None or now > self.approval.expires:
            return None
        return self.approval.hash


def encode(control: Control) -> bytes:
    """Write orders as JSON; the format always stands in it."""
    return msgspec.json.encode({"format": control.format, **msgspec.to_builtins(control)})


def decode(text: bytes | None) -> Control:
    """Read the orders (None: there are none); raise RecordError where they are damaged or of an unknown format.

    An order that cannot be read is never taken for "no orders": a pause must not be lifted by a typing error.
    """
    if text is None:
        return Control()
    try:
        found = format_of(text)
        if found != FORMAT:
            raise RecordError(
                f"the orders at .syncd/control have format {found}, this syncd knows {FORMAT}",
                hint="upgrade syncd on this node; nothing is written while they cannot be read",
            )
        return msgspec.json.decode(text, type=Control)
    except UNREADABLE as error:
        raise RecordError(
            f"the orders at .syncd/control are damaged: {error}",
            hint="nothing is written while they cannot be read; delete that key to withdraw all orders",
        ) from None
