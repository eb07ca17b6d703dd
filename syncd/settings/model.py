"""The settings themselves, each with its unit, its default and the reason beside it.

``docs/settings.md`` is made from this file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, cast

import msgspec

from syncd.core.subscriber import Subscriber
from syncd.settings.values import (
    Choice,
    Cron,
    Duration,
    File,
    Grants,
    Listen,
    Prefix,
    Program,
    Switch,
    Text,
    Texts,
    TreePath,
    ValueType,
    Whole,
    Zone,
)


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be known of one setting.

    ``says`` is one line, also the flag's help; ``otherwise`` says in words what stands in where ``default`` is None.
    """

    type: ValueType
    says: str
    why: str
    default: object = None
    otherwise: str = ""
    flag: str = ""


class SourceSettings(msgspec.Struct, frozen=True):
    """``[source]``: where the desired state is read."""

    repository: Annotated[
        Path,
        Setting(
            type=File("folder"),
            says="The git repository: a work tree, a folder inside one, or a bare repository.",
            why="Commands are mostly run inside the repository.",
            default=".",
            flag="--repo",
        ),
    ]
    path: Annotated[
        str,
        Setting(
            type=TreePath(),
            says='The folder of the YAML tree inside the repository; "" is the whole repository.',
            why="The tree of the Mordomo stack stands there.",
            default="config/mordomo",
            flag="--path",
        ),
    ]
    branch: Annotated[
        str | None,
        Setting(
            type=Text(),
            says="The branch whose tip is the desired state.",
            why="What is checked out is what a person looks at.",
            otherwise="the branch checked out at start",
            flag="--branch",
        ),
    ]
    worktree: Annotated[
        bool,
        Setting(
            type=Switch(),
            says="Read the files as they are now, uncommitted edits included, instead of a commit.",
            why="Only a commit has an author, a message and a way back.",
            default=False,
            flag="--worktree",
        ),
    ]
    name: Annotated[
        str,
        Setting(
            type=Text(),
            says="The source's name; the mark on its keys is made from it.",
            why="One source to a prefix needs no other name. Changing it gives up ownership of every key.",
            otherwise="the same as store.prefix",
        ),
    ]


class StoreSettings(msgspec.Struct, frozen=True):
    """``[store]``: where the live state is written."""

    address: Annotated[
        str | None,
        Setting(
            type=Text(),
            says="The store's address: HOST:PORT, http(s)://HOST:PORT or unix:///SOCKET.",
            why="As the Consul CLI does.",
            otherwise="CONSUL_HTTP_ADDR, else 127.0.0.1:8500",
            flag="--address",
        ),
    ]
    prefix: Annotated[
        str,
        Setting(
            type=Prefix(),
            says="The prefix under which the tree's keys stand.",
            why="A key is then found under the path of its file. Two sources need two, neither inside the other.",
            otherwise="the same as source.path",
            flag="--prefix",
        ),
    ]
    token_file: Annotated[
        Path | None,
        Setting(
            type=File("file"),
            says="The file that holds the ACL token; read again when it changes.",
            why="A token itself is never a setting: flags and files are seen by too many.",
            otherwise="what CONSUL_* says, else no token",
            flag="--token-file",
        ),
    ]
    datacenter: Annotated[
        str | None,
        Setting(
            type=Text(),
            says="The datacenter to write to.",
            why="One agent serves one datacenter, as a rule.",
            otherwise="the agent's own",
            flag="--datacenter",
        ),
    ]
    lease_ttl: Annotated[
        float,
        Setting(
            type=Duration("10s", "24h"),
            says="How long the lease outlives a node that died; another node waits this long.",
            why="Consul takes no less than 10s; a little more rides out a slow renewal.",
            default="15s",
        ),
    ]
    parallel: Annotated[
        int,
        Setting(
            type=Whole(1, 64),
            says="How many transactions may be in flight at once.",
            why="More brings little, and other clients of the cluster want to write as well.",
            default=16,
        ),
    ]
    reconcile: Annotated[
        float,
        Setting(
            type=Duration("10s", "24h"),
            says="How often the whole prefix is read anew, besides watching it.",
            why="A safety net: watching sees every change of the tree's keys by itself.",
            default="10m",
        ),
    ]


class HttpSettings(msgspec.Struct, frozen=True):
    """``[http]``: the daemon's door for programs: health, metrics, the API."""

    listen: Annotated[
        str,
        Setting(
            type=Listen(),
            says='Where the daemon listens for HTTP, besides its socket; "" is nowhere.',
            why="Only this machine, unless you say otherwise.",
            default="127.0.0.1:8510",
        ),
    ]
    socket: Annotated[
        Path,
        Setting(
            type=File("file"),
            says="The unix socket by which commands on this machine reach the daemon.",
            why="Its mode says who may; nothing else on the machine can listen there in its place.",
            otherwise="$RUNTIME_DIRECTORY/syncd.sock, else syncd.sock in the state directory; commands look in the "
            "[service's](operations.md#install-as-a-service) /run/syncd too",
        ),
    ]
    tokens_file: Annotated[
        Path | None,
        Setting(
            type=File("file"),
            says="The file of bearer tokens, hashed, with their scopes; every call but health needs one then.",
            why="Without it only this machine's own addresses are served.",
            otherwise="no tokens",
        ),
    ]
    hosts: Annotated[
        tuple[str, ...],
        Setting(
            type=Texts("host names"),
            says="Names by which the daemon may be called, besides its own addresses and localhost.",
            why="A web page that points its own name at this machine must not be answered.",
            default=[],
        ),
    ]


class CatalogSettings(msgspec.Struct, frozen=True):
    """``[catalog]``: services that ask for changes by their meta in Consul's catalog."""

    subscribers: Annotated[
        bool,
        Setting(
            type=Switch(),
            says="Tell services whose meta says syncd-path and syncd-prefix.",
            why="A service then needs no line in this file; who may register services is Consul's to say.",
            default=True,
        ),
    ]
    secret_file: Annotated[
        Path | None,
        Setting(
            type=File("file"),
            says="The secrets that sign what services of the catalog are told, one a line.",
            why="One for all: Consul's meta is no place for secrets.",
            otherwise="not signed",
        ),
    ]
    values: Annotated[
        tuple[str, ...],
        Setting(
            type=Grants("SERVICE:PREFIX"),
            says="Which services of the catalog are told values, and below which prefix; all others get hashes.",
            why="Whoever may register a service would otherwise learn every value.",
            default=[],
        ),
    ]


class SnapshotSettings(msgspec.Struct, frozen=True):
    """``[snapshots]``: saving the whole store, and what is kept of it."""

    directory: Annotated[
        Path,
        Setting(
            type=File("folder"),
            says="Where snapshots are kept. They hold every key and token of the cluster: let nobody else read them.",
            why="It is private and needs nothing; a disk of its own is better.",
            otherwise="snapshots in the state directory",
            flag="--directory",
        ),
    ]
    token_file: Annotated[
        Path | None,
        Setting(
            type=File("file"),
            says="The file that holds the management token which Consul asks for before it gives a snapshot.",
            why="Its own, so that store.token_file needs no more than its prefix; that one is never used here.",
            otherwise="what CONSUL_* says, else no token",
            flag="--snapshot-token-file",
        ),
    ]
    schedule: Annotated[
        str,
        Setting(
            type=Cron(),
            says='When `syncd run` takes one: minute, hour, day, month, weekday, or @daily, @weekly, …; "" is never.',
            why="Whoever says where to, or with which token, wants snapshots; nobody else finds secrets on the disk.",
            otherwise="`0 2 * * *` where snapshots.directory or snapshots.token_file is set, else never",
        ),
    ]
    timezone: Annotated[
        str | None,
        Setting(
            type=Zone(),
            says="The time zone of the schedule, and of the date that a snapshot stands for.",
            why="A night is a local thing. Nodes that share a directory should name one.",
            otherwise="the machine's",
        ),
    ]
    jitter: Annotated[
        float,
        Setting(
            type=Duration("0s", "6h"),
            says="By how much a snapshot comes later than scheduled, at most; each date has its own delay.",
            why="Only several clusters that copy to one place need any.",
            default="0s",
        ),
    ]
    keep_last: Annotated[
        int,
        Setting(
            type=Whole(1, 10_000),
            says="How many of the newest snapshots are kept, whatever their dates.",
            why="Those taken by hand before a risky change.",
            default=3,
        ),
    ]
    keep_daily: Annotated[
        int,
        Setting(
            type=Whole(0, 10_000),
            says="For how many days that have snapshots the newest is kept.",
            why="Most mistakes are noticed within a week.",
            default=7,
        ),
    ]
    keep_weekly: Annotated[
        int,
        Setting(
            type=Whole(0, 10_000),
            says="The same for weeks, which begin on Monday.",
            why="About a month.",
            default=5,
        ),
    ]
    keep_monthly: Annotated[
        int,
        Setting(
            type=Whole(0, 10_000),
            says="The same for months.",
            why="A year; with the others at most 27 files.",
            default=12,
        ),
    ]
    after: Annotated[
        tuple[str, ...],
        Setting(
            type=Program("program and arguments"),
            says="The program that is run after each success, with the snapshot's path as its last argument.",
            why="To copy it off this machine. No shell. If it fails, so does the run, and nothing is removed.",
            default=[],
        ),
    ]


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


class Settings(msgspec.Struct, frozen=True):
    """Every setting with its final value.

    ``origins`` says where each came from; ``consul`` holds the ``CONSUL_*`` variables that are set, as they may be
    shown. ``file`` is the ``syncd.toml`` that was read.
    """

    source: SourceSettings
    store: StoreSettings
    http: HttpSettings
    catalog: CatalogSettings
    snapshots: SnapshotSettings
    log: LogSettings
    state_directory: Annotated[
        Path,
        Setting(
            type=File("folder"),
            says="Where this machine's state is kept: the lease's session, the base of the last apply, the journal.",
            why="systemd's own choice, else the XDG folder of the person, apart for each repository and prefix.",
            otherwise="$STATE_DIRECTORY, else a folder under $XDG_STATE_HOME/syncd (~/.local/state/syncd)",
            flag="--state-directory",
        ),
    ]
    origins: Mapping[str, str]
    consul: Mapping[str, str]
    subscribers: tuple[Subscriber, ...] = ()
    file: Path | None = None

    def origin(self, name: str) -> str:
        """Say where a setting's value came from: a flag, a variable, ``file:line:column`` or ``default``."""
        return self.origins[name]

    def value(self, name: str) -> object:
        """Return a setting's value by its dotted name."""
        found: object = self
        for part in name.split("."):
            found = getattr(found, part)
        return found


SECTIONS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "source": SourceSettings,
    "store": StoreSettings,
    "http": HttpSettings,
    "catalog": CatalogSettings,
    "snapshots": SnapshotSettings,
    "log": LogSettings,
}


def _documented(prefix: str, struct: type[msgspec.Struct]) -> Iterator[tuple[str, Setting]]:
    for field in msgspec.structs.fields(struct):
        for note in getattr(field.type, "__metadata__", ()):
            yield prefix + field.name, cast("Setting", note)


CATALOGUE: Final[Mapping[str, Setting]] = {
    **{name: setting for section, struct in SECTIONS.items() for name, setting in _documented(f"{section}.", struct)},
    **dict(_documented("", Settings)),
}
"""Every setting by its dotted name (``store.prefix``)."""


def variable_of(name: str) -> str:
    """Name the environment variable of a setting."""
    return "SYNCD_" + name.replace(".", "_").upper()
