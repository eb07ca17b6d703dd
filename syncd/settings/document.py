"""The table of ``docs/settings.md``, made from the settings themselves: ``python -m syncd.settings.document``."""

import sys
from typing import Final

from syncd.settings.model import CATALOGUE, SECTIONS, variable_of
from syncd.settings.setting import Setting
from syncd.settings.subscribers import FIELDS, SECTION

_HEAD: Final = """\
# Settings

Made by `python -m syncd.settings.document > docs/settings.md` from `syncd/settings/`; a test compares.

A value is taken from the first place that gives one: a flag, a `SYNCD_*` variable, `syncd.toml`, Consul's own
`CONSUL_*` variables (address, token, TLS), the default. `syncd.toml` is looked for in the working directory, then at
the top of the git repository that holds it, then in `/etc/syncd/`, and the first one counts; `--config FILE` or
`SYNCD_CONFIG` names another. `syncd config show` says where each value came from.

- Relative paths start at the working directory; in `syncd.toml`, at the folder of that file.
- An empty variable counts as not set. The store's root as prefix is `--prefix ""`, or `prefix = ""` in the file.
- Everything that is wrong is reported at once, with file, line and column. Unknown names are errors.
- An ACL token itself is not a setting: name its file, or use `CONSUL_HTTP_TOKEN`.

```toml
[source]
path = "config/mordomo"

[store]
address = "127.0.0.1:8500"
token_file = "/run/credentials/syncd.service/token"
lease_ttl = "15s"
```
"""
_SUBSCRIBERS: Final = """\
Any number of them, in `syncd.toml` alone; each has one of `webhook`, `file` and `command`. [Delivery](delivery.md) says
what they are told, and how.

```toml
[[subscriber]]
name = "brain"
webhook = "http://127.0.0.1:9000/config-changed"
secret_file = "/etc/syncd/brain.secret"
prefix = "brain/"

[[subscriber]]
name = "asr-env"
file = "/etc/mordomo/whisper.env"
template = "/etc/syncd/whisper.env.j2"
prefix = ["whisper_asr/", "core_api/"]
command = ["systemctl", "reload", "whisper-asr"]
```"""
_COLUMNS: Final = ("| Setting | Value | Default | Flag, variable | What, *why* |", "|---|---|---|---|---|")


def page() -> str:
    """Write the whole page."""
    sections = "\n".join(_section(section) for section in ("", *SECTIONS))
    return f"{_HEAD}\n{sections}\n{_subscribers()}"


def _subscribers() -> str:
    rows = [_field(name, setting) for name, setting in FIELDS.items()]
    return "\n".join(
        (
            f"## `[[{SECTION}]]`",
            "",
            _SUBSCRIBERS,
            "",
            "| Field | Value | Default | What, *why* |",
            "|---|---|---|---|",
            *rows,
            "",
        )
    )


def _field(name: str, setting: Setting) -> str:
    default = setting.otherwise if setting.default is None else f"`{_written(setting)}`"
    return f"| `{name}` | {setting.type.describe} | {default} | {setting.says} *{setting.why}* |"


def _section(section: str) -> str:
    title = f"`[{section}]`" if section else "Above the sections"
    rows = [_row(name, setting) for name, setting in CATALOGUE.items() if name.rpartition(".")[0] == section]
    return "\n".join((f"## {title}", "", *_COLUMNS, *rows, ""))


def _row(name: str, setting: Setting) -> str:
    default = setting.otherwise if setting.default is None else f"`{_written(setting)}`"
    given_by = "<br>".join(f"`{name}`" for name in (setting.flag, variable_of(name)) if name)
    cells = (f"`{name}`", setting.type.describe, default, given_by, f"{setting.says} *{setting.why}*")
    return f"| {' | '.join(cells)} |"


def _written(setting: Setting) -> str:
    return setting.default if isinstance(setting.default, str) else setting.type.show(setting.default)


if __name__ == "__main__":
    sys.stdout.write(page())
