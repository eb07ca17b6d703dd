"""The section ``[store]`` of ``syncd.toml``."""

from pathlib import Path
from typing import Annotated

import msgspec

from syncd.settings.setting import Setting
from syncd.settings.values import Duration, File, Prefix, Text, Whole


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
