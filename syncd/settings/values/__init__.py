"""How each sort of value is written, read and shown. Reading is strict: what is doubtful is refused."""

from syncd.settings.values.bare import Switch, Whole
from syncd.settings.values.kind import BadValue, ValueType
from syncd.settings.values.lists import Grants, Program, Texts
from syncd.settings.values.paths import File, Prefix, TreePath
from syncd.settings.values.text import Choice, Listen, Text
from syncd.settings.values.times import Cron, Duration, Zone

__all__ = [
    "BadValue",
    "Choice",
    "Cron",
    "Duration",
    "File",
    "Grants",
    "Listen",
    "Prefix",
    "Program",
    "Switch",
    "Text",
    "Texts",
    "TreePath",
    "ValueType",
    "Whole",
    "Zone",
]
