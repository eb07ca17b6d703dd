"""Logs: one line for each thing that happened, as a plain sentence with its facts beside it.

``get_logger(__name__).info("applied 3 changes", commit=…)``. People get coloured lines on a terminal, machines get
JSON. What libraries log through the standard library (aiohttp, apscheduler, asyncio, watchfiles) goes the same way.
Facts are never secrets: tracebacks come without local variables, and whoever logs a value logs its hash.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, Literal, Self, TextIO

from syncd.core.text import printable

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}

_Facts = MutableMapping[str, Any]


class Logger:
    """A named logger. What is below the threshold costs next to nothing and does not even load structlog."""

    __slots__ = ("_facts", "_name")

    def __init__(self, name: str, facts: Mapping[str, object]) -> None:
        self._name = name
        self._facts = facts

    def bind(self, **facts: object) -> Self:
        """Return a logger that adds facts to every line."""
        return type(self)(self._name, {**self._facts, **facts})

    def debug(self, event: str, **facts: object) -> None:
        """Say what only somebody who searches a fault wants to know."""
        self.log("debug", event, **facts)

    def info(self, event: str, **facts: object) -> None:
        """Say what happened."""
        self.log("info", event, **facts)

    def warning(self, event: str, **facts: object) -> None:
        """Say what a person should look at some time."""
        self.log("warning", event, **facts)

    def error(self, event: str, **facts: object) -> None:
        """Say what a person must look at."""
        self.log("error", event, **facts)

    def exception(self, event: str, **facts: object) -> None:
        """Say what failed unexpectedly, with the traceback of the exception being handled."""
        self.log("error", event, exc_info=True, **facts)

    def log(self, level: str, event: str, **facts: object) -> None:
        """Log at a level known only at run time."""
        if _LEVELS[level] >= _output.threshold:
            bound = _output.structlog().get_logger()
            getattr(bound, level)(event, logger=self._name, **{**self._facts, **facts})


def get_logger(name: str) -> Logger:
    """Return the logger of a module (``__name__``)."""
    return Logger(name, {})


def configure(
    log_format: Literal["auto", "console", "json"],
    level: Literal["debug", "info", "warning", "error"],
    *,
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Choose how and from which level on the whole process logs, to standard error unless told otherwise."""
    target = sys.stderr if stream is None else stream
    for_people = log_format == "console" or (log_format == "auto" and target.isatty())
    _output.threshold = _LEVELS[level]
    _output.target = target
    _output.render = _Console(coloured(target, environment)) if for_people else _render_json
    _output.stale = True
    _bridge_libraries(_output.threshold)


class _Output:
    """Where the process's log goes. structlog itself is loaded with the first line: many commands log none."""

    def __init__(self) -> None:
        self.threshold = 0
        self.target: TextIO = sys.stderr
        self.render: Callable[[object, str, _Facts], bytes] = _render_json
        self.stale = False

    def structlog(self) -> Any:  # noqa: ANN401  # a module
        import structlog  # noqa: PLC0415  # takes longer than a whole short command

        if self.stale:
            self.stale = False
            time_format = "%H:%M:%S" if isinstance(self.render, _Console) else "iso"
            structlog.configure(
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt=time_format, utc=time_format == "iso", key="time"),
                    structlog.processors.format_exc_info,
                    self.render,
                ],
                logger_factory=structlog.BytesLoggerFactory(self.target.buffer),
                cache_logger_on_first_use=False,
            )
        return structlog


def _render_json(_logger: object, _method: str, facts: _Facts) -> bytes:
    import msgspec  # noqa: PLC0415  # as structlog

    ordered = {name: facts.pop(name, None) for name in ("time", "level", "event")} | {**facts}
    try:
        return msgspec.json.encode(ordered, enc_hook=str)
    except UnicodeEncodeError:  # file names that are not UTF-8 hold lone surrogates
        return json.dumps(ordered, default=str).encode()


class _Console:
    """Lines for people: time, level, what happened, facts. Whatever could steer the terminal is escaped."""

    def __init__(self, coloured: bool) -> None:
        self._coloured = coloured

    def __call__(self, _logger: object, _method: str, facts: _Facts) -> bytes:
        level, name = facts.pop("level"), str(facts.pop("logger", ""))
        head = f"{self._paint('2', facts.pop('time'))} {self._paint(_COLOURS[level], f'{level:<7}')}"
        trace = facts.pop("exception", "")
        event = printable(str(facts.pop("event")))
        if not name.startswith("syncd"):
            facts["logger"] = name
        shown = "".join(f" {self._paint('36', key)}={_shown(value)}" for key, value in facts.items())
        lines = "".join(f"\n    {printable(line)}" for line in trace.splitlines())
        return f"{head} {event} {shown}".rstrip().encode(errors="backslashreplace") + lines.encode(
            errors="backslashreplace"
        )

    def _paint(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured else text


def _shown(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and text and not set(text) & set(" ='\"")
    return text if plain else repr(text)


def coloured(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a stream wants colour: a terminal, unless NO_COLOR says otherwise (https://no-color.org)."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


class _Bridge(logging.Handler):
    """Hands what libraries log to our own output."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = record.levelname.lower()
            facts = {"exc_info": record.exc_info} if record.exc_info else {}
            get_logger(record.name).log(level if level in _LEVELS else "info", record.getMessage(), **facts)
        except Exception:  # noqa: BLE001  # a line that cannot be logged must not stop the library that logs it
            self.handleError(record)


def _bridge_libraries(threshold: int) -> None:
    """Take over the standard library's root: libraries speak up from warnings on, and in full when debugging."""
    logging.root.handlers = [_Bridge()]
    logging.root.setLevel(threshold if threshold <= _LEVELS["debug"] else max(threshold, logging.WARNING))


_output = _Output()
