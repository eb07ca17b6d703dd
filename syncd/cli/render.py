"""``syncd render``."""

import base64
import json
from collections.abc import Iterable, Mapping

import click

from syncd.cli.options import SOURCE, at_option, output_option, with_settings
from syncd.cli.output import json_value, print_json, print_table, shown_value
from syncd.cli.reading import read, repository_path
from syncd.cli.running import run
from syncd.core import keys
from syncd.core.desired import Desired, DesiredKey, sorted_pairs
from syncd.core.digest import shown_hash
from syncd.core.mark import mark_of
from syncd.settings import Settings

_GO_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""What Go's encoding/json escapes besides JSON's own, so that the export is Consul's to the byte."""


@click.command
@with_settings(*SOURCE, "source.worktree")
@at_option
@click.option("--show-secrets", is_flag=True, help="Show secret values instead of their hashes.")
@output_option("table", "json", "consul-export")
def render(settings: Settings, at: str | None, show_secrets: bool, output: str) -> None:
    """Print the keys and values that a commit yields.

    consul-export is what "consul kv export" prints once the commit is applied, secrets included: "consul kv import"
    takes it.
    """
    revision = run(read(settings, at))
    desired, prefix, root = revision.tree.desired, settings.store.prefix, settings.source.path
    if output == "consul-export":
        values = ((keys.join(prefix, key), entry.value) for key, entry in sorted_pairs(desired.keys))
        click.echo(consul_export(values, mark_of(settings.source.name)))
    elif output == "json":
        print_json({"commit": revision.commit.id, "keys": _as_json(desired, prefix, root, show_secrets)})
    else:
        print_table(("KEY", "VALUE", "PLACE"), _as_rows(desired, prefix, root, show_secrets))


def consul_export(values: Iterable[tuple[str, bytes]], flags: int) -> str:
    """Write full keys and values as ``consul kv export`` does (observed on 1.8.7)."""
    rows = [{"key": key, "flags": flags, "value": base64.b64encode(value).decode()} for key, value in values]
    return json.dumps(rows, indent="\t", ensure_ascii=False).translate(_GO_ESCAPES)


def _as_rows(desired: Desired, prefix: str, root: str, show_secrets: bool) -> list[tuple[str, str, str]]:
    return [
        (keys.join(prefix, key), _row_value(entry, show_secrets), _place(entry, root))
        for key, entry in sorted_pairs(desired.keys)
    ]


def _row_value(entry: DesiredKey, show_secrets: bool) -> str:
    return shown_hash(entry.value) if entry.secret and not show_secrets else shown_value(entry.value)


def _place(entry: DesiredKey, root: str) -> str:
    return f"{repository_path(root, entry.path)}:{entry.line}:{entry.column}"


def _as_json(desired: Desired, prefix: str, root: str, show_secrets: bool) -> Mapping[str, object]:
    return {
        keys.join(prefix, key): {
            "value": {"hash": shown_hash(entry.value)}
            if entry.secret and not show_secrets
            else json_value(entry.value),
            "file": repository_path(root, entry.path),
            "line": entry.line,
            "column": entry.column,
        }
        for key, entry in sorted_pairs(desired.keys)
    }
