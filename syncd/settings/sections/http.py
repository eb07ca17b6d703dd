"""The section ``[http]`` of ``syncd.toml``."""

from pathlib import Path
from typing import Annotated

import msgspec

from syncd.settings.setting import Setting
from syncd.settings.values import File, Listen, Texts


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
