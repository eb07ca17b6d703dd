"""``syncd snapshot``."""

from typing import Final

from syncd.cli.lazy import LazyCommand, LazyGroup

_TAKING: Final = "syncd.cli.snapshot_taking"
_READING: Final = "syncd.cli.snapshot_reading"
_KEYS: Final = "syncd.cli.snapshot_keys"
_DRILL: Final = "syncd.cli.snapshot_drill"
_RESTORING: Final = "syncd.cli.snapshot_restoring"
PLACE: Final = ("source.repository", "store.prefix", "state_directory", "snapshots.directory")
"""The settings that say where snapshots are."""

snapshot = LazyGroup(
    "snapshot",
    help="""Save the whole store, verified; look into what was saved; put it back.

    FILE is a path, or the name of a file in snapshots.directory. What "consul snapshot save" has written can be looked
    into as well.
    """,
    commands=[
        LazyCommand("take", f"{_TAKING}:take", "Save the whole store into a file, and verify it."),
        LazyCommand("list", f"{_TAKING}:list_", "List the snapshots that are kept."),
        LazyCommand("pin", f"{_TAKING}:pin", "Keep a snapshot whatever its age."),
        LazyCommand("unpin", f"{_TAKING}:unpin", "Let a pinned snapshot go when its time has come."),
        LazyCommand("verify", f"{_READING}:verify", "Read every byte of snapshots, and say whether they are sound."),
        LazyCommand("inspect", f"{_READING}:inspect", "Say what a snapshot holds."),
        LazyCommand("show", f"{_KEYS}:show", "Print the value of one key in a snapshot."),
        LazyCommand("extract", f"{_KEYS}:extract", "Bring keys out of a snapshot, as an export or as a tree."),
        LazyCommand("diff", f"{_READING}:diff", "Compare the keys of two snapshots."),
        LazyCommand("drill", f"{_DRILL}:drill_", "Restore a snapshot into a store of its own, and compare every key."),
        LazyCommand("restore", f"{_RESTORING}:restore", "Put a snapshot back, as a whole or single keys of it."),
    ],
)
