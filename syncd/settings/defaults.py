"""Defaults that depend on other settings or on the machine."""

import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

FILE_NAME: Final = "syncd.toml"
SOCKET_NAME: Final = "syncd.sock"
SYSTEM_FOLDER: Final = Path("/etc/syncd")
RUN_FOLDER: Final = Path("/run")
"""Where systemd makes a unit's RuntimeDirectory; only root may make folders there."""


def state_directory(environment: Mapping[str, str], repository: Path, prefix: str) -> Path:
    """Choose where state is kept: systemd's folder, else one below XDG's for each repository and prefix."""
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])  # systemd joins several folders with colons
    return _state_home(environment) / "syncd" / _slug(repository_top(repository), prefix)


def service_socket(file: Path | None) -> Path:
    """Name the socket of the unit in ``systemd/`` that reads a settings file: syncd.service, or an instance's own."""
    instance = file is not None and file.parent == SYSTEM_FOLDER and file.name != FILE_NAME
    return RUN_FOLDER / (f"syncd-{file.stem}" if file is not None and instance else "syncd") / SOCKET_NAME


def _state_home(environment: Mapping[str, str]) -> Path:
    """Follow the XDG base directory specification: a relative path in the variable is to be ignored."""
    given = Path(environment.get("XDG_STATE_HOME", ""))
    if given.is_absolute():
        return given
    home = environment.get("HOME", "")
    if not Path(home).is_absolute():
        raise ValueError("cannot be chosen: neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set")
    return Path(home) / ".local" / "state"


def repository_top(folder: Path) -> Path:
    """Find the top of the work tree that holds a folder; where there is none, the folder itself."""
    path = Path(os.path.realpath(folder))  # unlike Path.resolve it takes loops; the git room will speak of them
    return next((above for above in (path, *path.parents) if _has_git(above)), path)


def _has_git(folder: Path) -> bool:
    try:
        return (folder / ".git").exists()
    except PermissionError:
        return False


def _slug(repository: Path, prefix: str) -> str:
    """Name a folder readably, and apart from any other repository's or prefix's."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{repository.name}-{prefix}").strip("-.")[:48]
    digest = sha256(f"{repository}\0{prefix}".encode(errors="surrogateescape")).hexdigest()
    return f"{words or 'root'}-{digest[:8]}"


_SHOWN = {
    "CONSUL_CACERT",
    "CONSUL_CAPATH",
    "CONSUL_CLIENT_CERT",
    "CONSUL_CLIENT_KEY",
    "CONSUL_HTTP_SSL",
    "CONSUL_HTTP_SSL_VERIFY",
    "CONSUL_HTTP_TOKEN_FILE",
    "CONSUL_NAMESPACE",
    "CONSUL_PARTITION",
    "CONSUL_TLS_SERVER_NAME",
}
"""Consul's variables that hold no secret."""


def consul_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """List the ``CONSUL_*`` that are set, as they may be shown; what may hold a secret shows as ``(set)``."""
    return {
        name: _consul_value(name, value)
        for name, value in sorted(environment.items())
        if name.startswith("CONSUL_") and value
    }


def shown_address(address: str) -> str:
    """Leave out a password that somebody put before the host."""
    return re.sub(r"[^/]*@", "", address)


def _consul_value(name: str, value: str) -> str:
    if name == "CONSUL_HTTP_ADDR":
        return shown_address(value)
    return value if name in _SHOWN else "(set)"
