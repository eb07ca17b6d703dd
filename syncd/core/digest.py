"""Digests of keys and values.

A tree's digest is the sum modulo 2**256 of SHA-256 over each key and value, so that a change of k keys costs O(k).
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

_MODULUS: Final = 1 << 256


def pair_digest(key: str, value: bytes) -> int:
    """Digest one key and its value; the length in front keeps ``a`` + ``bc`` apart from ``ab`` + ``c``."""
    name = key.encode()
    return int.from_bytes(sha256(len(name).to_bytes(4, "big") + name + value).digest(), "big")


def add(total: int, pairs: Iterable[tuple[str, bytes]]) -> int:
    """Add pairs to a tree's digest."""
    return (total + sum(pair_digest(key, value) for key, value in pairs)) % _MODULUS


def subtract(total: int, pairs: Iterable[tuple[str, bytes]]) -> int:
    """Take pairs out of a tree's digest."""
    return (total - sum(pair_digest(key, value) for key, value in pairs)) % _MODULUS


def render(total: int) -> str:
    """Write a tree's digest as 64 hexadecimal digits."""
    return f"{total:064x}"


def value_hash(value: bytes) -> bytes:
    """Hash one value: 32 bytes of SHA-256."""
    return sha256(value).digest()


def shown_hash(value: bytes) -> str:
    """Write what stands in place of a secret value."""
    return hash_text(value_hash(value))


def hash_text(hash_: bytes) -> str:
    """Write the beginning of a value's hash."""
    return f"sha256:{hash_.hex()[:12]}"
