"""The section ``[snapshots]`` of ``syncd.toml``."""

from pathlib import Path
from typing import Annotated

import msgspec

from syncd.settings.setting import Setting
from syncd.settings.values import Cron, Duration, File, Program, Whole, Zone


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
            says='When `syncd run` takes one, daily at most: five fields as in cron, or @weekly, …; "" is never.',
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
    drill: Annotated[
        str,
        Setting(
            type=Cron(),
            says='When `syncd run` restores the newest one into a store of its own, as a drill; "" is never.',
            why="It takes a consul beside syncd, and the memory of a second store.",
            default="",
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
