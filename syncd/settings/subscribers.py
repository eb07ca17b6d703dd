"""``[[subscriber]]``: who is told of changes, and how. Each field is documented here, like the settings."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from syncd.core.mapping.globs import pattern_fault
from syncd.core.subscriber import Command, File, Filter, Subscriber, Target, Webhook
from syncd.core.text import did_you_mean
from syncd.core.url import parse_url
from syncd.settings.setting import Setting
from syncd.settings.toml import TomlFile
from syncd.settings.values import BadValue, Choice, Duration, Program, Switch, Text, Texts
from syncd.settings.values import File as FilePath

SECTION: Final = "subscriber"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SIGNAL: Final = re.compile(r"(?:HUP|INT|QUIT|USR1|USR2|TERM|WINCH|CONT)")
_OWNER: Final = re.compile(r"([A-Za-z0-9_.-]*)(?::([A-Za-z0-9_.-]+))?")

FIELDS: Final[Mapping[str, Setting]] = {
    "name": Setting(
        type=Text(), says="Its name, unique.", why="Logs, metrics and commands name it.", otherwise="must be given"
    ),
    "webhook": Setting(
        type=Text(),
        says="The http(s) address that gets a POST.",
        why="Any service can take one.",
        otherwise="no webhook",
    ),
    "file": Setting(
        type=FilePath("file"),
        says="The file that is made from `template`.",
        why="For programs that read a file.",
        otherwise="no file",
    ),
    "command": Setting(
        type=Program("program and arguments", empty=False),
        says="The program that gets the event on its standard input; with `file`, after the file has changed.",
        why="No shell: nothing in a value can become a command.",
        otherwise="no command",
    ),
    "about": Setting(
        type=Choice(("keys", "snapshots")),
        says="What it is told of: keys that change, or [snapshots and drills that fail](snapshots.md#who-is-told).",
        why="Who works keys has no use for the other, and the other way round.",
        default="keys",
    ),
    "prefix": Setting(
        type=Texts("prefixes"), says="Tell only of keys that begin so.", why="A service cares for its own.", default=[]
    ),
    "match": Setting(
        type=Texts("patterns"),
        says="Tell also of keys that match, as in `.gitignore`.",
        why="`*/log_level` is in every folder.",
        default=[],
    ),
    "values": Setting(
        type=Switch(),
        says="Tell values; else only hashes.",
        why="Secrets are told as hashes in any case.",
        default=True,
    ),
    "timeout": Setting(
        type=Duration("100ms", "10m"),
        says="How long one try may take.",
        why="Whoever hangs is tried again later, and delays nobody else.",
        otherwise="15s for a webhook, 30s for a command",
    ),
    "secret_file": Setting(
        type=FilePath("file"),
        says="For a webhook: the secrets that sign it, `whsec_…`, one a line.",
        why="Two lines while one replaces the other.",
        otherwise="not signed",
    ),
    "template": Setting(
        type=FilePath("file"),
        says="For a file: the Jinja2 template.",
        why="The file may look as its reader wants it.",
        otherwise="must be given with `file`",
    ),
    "mode": Setting(type=Text(), says="For a file: its mode.", why="`0600` where it holds secrets.", default="0644"),
    "owner": Setting(
        type=Text(),
        says="For a file: `user:group`.",
        why="Only root may give files away.",
        otherwise="who syncd runs as",
    ),
    "signal": Setting(
        type=Text(),
        says="For a file: the signal that the process in `pid_file` gets after a change, as `HUP`.",
        why="How most servers reload.",
        otherwise="none",
    ),
    "pid_file": Setting(
        type=FilePath("file"),
        says="For `signal`: where the process's number stands.",
        why="Servers write it at their start.",
        otherwise="none",
    ),
}
_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "webhook": frozenset(("webhook", "secret_file", "timeout")),
    "file": frozenset(("file", "template", "mode", "owner", "command", "timeout", "signal", "pid_file")),
    "command": frozenset(("command", "timeout")),
}
_COMMON: Final = frozenset(("name", "about", "prefix", "match", "values"))
_OF_KEYS: Final = frozenset(("prefix", "match", "values"))


def read_subscribers(file: TomlFile) -> tuple[tuple[Subscriber, ...], tuple[str, ...]]:
    """Read every ``[[subscriber]]`` of a file; return them and what is wrong, each with its place."""
    tables = file.content.get(SECTION, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return (), (f"{file.place(SECTION)}: write each subscriber as [[{SECTION}]]",)
    problems: list[str] = []
    found: list[Subscriber] = []
    first: dict[str, str] = {}
    for number, table in enumerate(tables):
        reader = _Reader(file, f"{SECTION}.{number}", table)
        subscriber = reader.read()
        name, problems = table.get("name"), problems + reader.problems
        if isinstance(name, str) and name in first:
            problems.append(f"{reader.place('name')}: {name!r} is already the name of the one at {first[name]}")
        elif isinstance(name, str):
            first[name] = file.place(f"{SECTION}.{number}")
        found += [subscriber] if subscriber else []
    return tuple(found), tuple(problems)


class _Reader:
    """Reads one table."""

    def __init__(self, file: TomlFile, name: str, table: Mapping[str, object]) -> None:
        self._file = file
        self._name = name
        self._table = table
        self.problems: list[str] = []

    def place(self, field: str) -> str:
        return self._file.place(f"{self._name}.{field}")

    def read(self) -> Subscriber | None:
        given = dict(self._given())
        self._check(given)
        kind = self._kind(given)
        if self.problems or kind is None:
            return None
        return Subscriber(
            name=given["name"],
            target=_target(kind, given),
            filter=Filter(given.get("prefix", ()), given.get("match", ()), given.get("about", "keys")),
            values=given.get("values", True),
            origin=self._file.place(self._name),
        )

    def _given(self) -> Iterator[tuple[str, Any]]:
        for field, value in self._table.items():
            setting = FIELDS.get(field)
            if setting is None:
                self._say(
                    field, f"a subscriber has no {field}{did_you_mean(field, FIELDS)}; it may have {', '.join(FIELDS)}"
                )
                continue
            try:
                read = setting.type.read(value)
            except (BadValue, ValueError) as error:
                self._say(field, f"{field}: {error}")
                continue
            yield field, self._file.folder / read if isinstance(read, Path) else read

    def _kind(self, given: Mapping[str, Any]) -> str | None:
        table = self._table
        kinds = [kind for kind in _KINDS if kind in table and not (kind == "command" and "file" in table)]
        if len(kinds) != 1:
            self._say("", "a subscriber has one of webhook, file and command (a command may follow a file)")
            return None
        (kind,) = kinds
        for field in given.keys() - _KINDS[kind] - _COMMON:
            self._say(field, f"{field} says nothing to a {kind}")
        return kind

    def _check(self, given: Mapping[str, Any]) -> None:
        """Find what is wrong with fields that can each be read."""
        if "name" not in self._table:
            self._say("", "a subscriber needs a name")
        elif "name" in given and not _NAME.fullmatch(given["name"]):
            self._say("name", "name: letters, digits, dots, dashes and underscores, at most 64")
        if "webhook" in given:
            try:
                parse_url(given["webhook"])
            except ValueError as error:
                self._say("webhook", f"webhook: {error}")
        for pattern in given.get("match", ()):
            if fault := pattern_fault(pattern):
                self._say("match", f"match: {pattern!r} is {fault}")
        self._check_about(given)
        self._check_file(given)

    def _check_about(self, given: Mapping[str, Any]) -> None:
        if given.get("about", "keys") == "keys":
            return
        if "file" in given:
            self._say("about", "about: a file is made of keys; to do something when a snapshot fails, use a command")
        for field in given.keys() & _OF_KEYS:
            self._say(field, f"{field} says nothing to a subscriber about snapshots")

    def _check_file(self, given: Mapping[str, Any]) -> None:
        if "file" in given and "template" not in given:
            self._say("file", "a file needs a template")
        if not re.fullmatch(r"0?[0-7]{3}", given.get("mode", "0644")):
            self._say("mode", 'mode: write it in octal, as "0640"')
        if not _OWNER.fullmatch(given.get("owner", "")):
            self._say("owner", 'owner: write "user", "user:group" or ":group"')
        if "signal" in given and not _SIGNAL.fullmatch(given["signal"].removeprefix("SIG")):
            self._say("signal", "signal: one of HUP, INT, QUIT, USR1, USR2, TERM, WINCH, CONT")
        if ("signal" in given) != ("pid_file" in given):
            self._say("signal", "signal and pid_file need each other")

    def _say(self, field: str, problem: str) -> None:
        self.problems.append(f"{self.place(field) if field else self._file.place(self._name)}: {problem}")


def _target(kind: str, given: Mapping[str, Any]) -> Target:
    command = Command(given["command"], given.get("timeout", 30.0)) if "command" in given else None
    if kind == "webhook":
        return Webhook(given["webhook"], str(given.get("secret_file", "")), given.get("timeout", 15.0))
    if kind == "command":
        assert command is not None
        return command
    owner = _OWNER.fullmatch(given.get("owner", ""))
    return File(
        path=str(given["file"]),
        template=str(given["template"]),
        mode=int(given.get("mode", "0644"), 8),
        owner=(owner[1] if owner else "") or "",
        group=(owner[2] if owner else "") or "",
        command=command,
        signal=given.get("signal", "").removeprefix("SIG"),
        pid_file=str(given.get("pid_file", "")),
    )
