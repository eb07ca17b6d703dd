"""The section ``[log]`` of ``syncd.toml``."""

from typing import Annotated, Literal

import msgspec

from syncd.settings.setting import Setting
from syncd.settings.values import Choice

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]


class LogSettings(msgspec.Struct, frozen=True):
    """``[log]``: what is told on standard error."""

    level: Annotated[
        LogLevel,
        Setting(
            type=Choice(("debug", "info", "warning", "error")),
            says="The least level that is logged; commands that end by themselves take info for warning.",
            why="One line for each thing that happened.",
            default="info",
            flag="--log-level",
        ),
    ]
    format: Annotated[
        LogFormat,
        Setting(
            type=Choice(("auto", "console", "json")),
            says="Lines for people or JSON for machines; auto: JSON under systemd or when piped.",
            why="Who reads decides.",
            default="auto",
            flag="--log-format",
        ),
    ]
