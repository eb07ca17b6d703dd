"""How long, when, and in which time zone."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncd.core.snapshots.cron import parse_cron
from syncd.settings.durations import parse_duration, render_duration
from syncd.settings.values.kind import BadValue, Quoted


class Duration(Quoted, frozen=True):
    """A length of time with its unit; read as seconds."""

    least: str
    most: str

    @property
    def describe(self) -> str:
        return f"duration, {self.least} to {self.most}"

    def show(self, value: object) -> str:
        assert isinstance(value, float)
        return render_duration(value)

    def read(self, value: object) -> float:
        if isinstance(value, int | float):
            raise BadValue(f'needs a unit: write "{value}s" for seconds')
        seconds = parse_duration(self.text(value))
        if not parse_duration(self.least) <= seconds <= parse_duration(self.most):
            raise BadValue(f"must be {self.least} to {self.most}, not {value}")
        return seconds


class Cron(Quoted, frozen=True):
    """When something is done, at most once a day; ``""`` is never."""

    @property
    def describe(self) -> str:
        return "cron expression"

    def read(self, value: object) -> str:
        if text := self.text(value):
            parse_cron(text)
        return text


class Zone(Quoted, frozen=True):
    """A time zone by its name in the IANA's list."""

    @property
    def describe(self) -> str:
        return "time zone"

    def read(self, value: object) -> str:
        text = self.text(value)
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, as "Europe"
            raise BadValue(f"{text!r} is no time zone that this machine knows; write one as Europe/Berlin") from None
        return text
