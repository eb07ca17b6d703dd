"""The store: where it is, with which token, and opened at a prefix."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from syncd.settings import Settings
from syncd.store.endpoint import Endpoint, resolve_endpoint
from syncd.store.store import Store


@asynccontextmanager
async def open_store(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Store]:
    """Open the store alone, for what needs no repository; close it again."""
    async with Store(endpoint_of(settings, environment), settings.store.prefix) as store:
        yield store


@asynccontextmanager
async def open_keys(settings: Settings, environment: Mapping[str, str], prefix: str) -> AsyncIterator[Store]:
    """Open the store at any prefix, with the snapshots' own token; close it again."""
    async with Store(snapshot_endpoint(settings, environment), prefix) as store:
        yield store


def endpoint_of(settings: Settings, environment: Mapping[str, str], address: str | None = None) -> Endpoint:
    """Resolve the store's address and credentials."""
    token_file = settings.store.token_file
    return resolve_endpoint(
        environment,
        address=address or settings.store.address,
        token_file=str(token_file) if token_file else None,
        datacenter=settings.store.datacenter,
    )


def snapshot_endpoint(settings: Settings, environment: Mapping[str, str], address: str | None = None) -> Endpoint:
    """Resolve the store's address with the credentials that a snapshot needs; never with the daemon's own token."""
    token_file = settings.snapshots.token_file
    return resolve_endpoint(
        environment,
        address=address or settings.store.address,
        token_file=str(token_file) if token_file else None,
        setting="snapshots.token_file",
        datacenter=settings.store.datacenter,
    )
