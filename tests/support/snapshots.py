"""Snapshots made by hand, byte for byte as Consul writes them, for what no real Consul can be made to write."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

import msgpack

from syncd.core.record import Applied, Applying, Record, encode

INDEX: Final = 1570


def kv(key: str | bytes, value: bytes = b"value", **fields: object) -> tuple[int, object]:
    """A key's record; Consul writes texts and values alike."""
    return 2, {"Key": key, "Value": value, "Flags": 0, "CreateIndex": 5, "ModifyIndex": 7, "Session": "", **fields}


def register(*, service: object = None, check: object = None) -> tuple[int, object]:
    return 0, {"Datacenter": "dc1", "Node": "one", "Service": service, "Check": check}


def control(prefix: str, commit: str | None, applying: str | None = None) -> tuple[int, object]:
    """syncd's control record."""
    applied = Applied(commit, "refs/heads/main", "Ana", "Message", 1, 1, "00") if commit else None
    begun = Applying(applying, 1) if applying else None
    return kv(f"{prefix}/.syncd/revision", encode(Record(1, "s", "l", 1, "e", applied, begun)))


def state(records: Iterable[tuple[int, object]], header: object = None) -> bytes:
    """``state.bin``: what stands in front of a record is its kind."""
    pack = msgpack.Packer(use_bin_type=False).pack
    parts = [pack({"LastIndex": INDEX} if header is None else header)]
    parts += [bytes([kind]) + pack(value) for kind, value in records]
    return b"".join(parts)


def meta(size: int, **fields: object) -> bytes:
    return json.dumps({"Version": 1, "ID": "2-1", "Index": INDEX, "Term": 2, "Size": size, **fields}).encode() + b"\n"


def sums(files: Mapping[str, bytes]) -> bytes:
    return b"".join(f"{sha256(content).hexdigest()}  {name}\n".encode() for name, content in files.items())


def tar(files: Iterable[tuple[str, bytes]], end: bytes = bytes(1024)) -> bytes:
    """A tar as Go writes it: no padding behind the two zero blocks."""
    parts = []
    for name, content in files:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o600
        parts += [entry.tobuf(tarfile.USTAR_FORMAT), content, bytes(-len(content) % 512)]
    return b"".join(parts) + end


def archive(content: bytes, **replaced: bytes) -> bytes:
    """A whole snapshot around a state; ``meta_json`` and ``SHA256SUMS`` may be replaced."""
    files = {"meta.json": replaced.get("meta_json", meta(len(content))), "state.bin": content}
    return packed(tar([*files.items(), ("SHA256SUMS", replaced.get("SHA256SUMS", sums(files)))]))


def packed(plain: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as file:
        file.write(plain)
    return buffer.getvalue()


def snapshot(*records: tuple[int, object]) -> bytes:
    """A whole snapshot of these records."""
    return archive(state(records))
