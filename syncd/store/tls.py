"""TLS as the Consul CLI's variables ask for it."""

import ssl
from pathlib import Path

import msgspec


class TlsFiles(msgspec.Struct, frozen=True):
    """Where certificates stand; empty means not given. ``ca_path`` is a folder of PEM files, as Consul reads it."""

    ca_file: str = ""
    ca_path: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


def make_context(files: TlsFiles) -> tuple[ssl.SSLContext, tuple[str, ...]]:
    """Build the context and name every variable whose file cannot be used."""
    context, problems = ssl.create_default_context(), list[str]()
    if files.ca_file or files.ca_path:
        # A private CA replaces the system's, as it does for the Consul CLI.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if files.ca_file:
        problems += _trust(context, "CONSUL_CACERT", Path(files.ca_file))
    elif files.ca_path:
        problems += _trust_folder(context, Path(files.ca_path))
    if files.certificate or files.key:
        problems += _identify(context, files)
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context, tuple(problems)


def _trust(context: ssl.SSLContext, variable: str, path: Path) -> list[str]:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        return [f"{variable}: {path} cannot be used as CA certificates: {_reason(error)}"]
    return []


def _trust_folder(context: ssl.SSLContext, folder: Path) -> list[str]:
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        return [f"CONSUL_CAPATH: {folder} cannot be read: {_reason(error)}"]
    if not found:
        return [f"CONSUL_CAPATH: {folder} holds no certificate"]
    return [problem for path in found for problem in _trust(context, "CONSUL_CAPATH", path)]


def _identify(context: ssl.SSLContext, files: TlsFiles) -> list[str]:
    if not files.certificate or not files.key:
        return ["CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY belong together: only one of them is set"]
    try:
        # A password is answered here, or OpenSSL would ask for one on the terminal.
        context.load_cert_chain(files.certificate, files.key, password=lambda: b"")
    except (OSError, ssl.SSLError) as error:
        pair = f"{files.certificate}, {files.key}"
        return [f"CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY: {pair} cannot be used: {_reason(error)}"]
    return []


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
