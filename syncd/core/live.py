"""What the store holds."""

import msgspec


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One key of the store; ``index`` is Consul's ModifyIndex, ``session`` the lock's holder or "".

    Not tracked by the garbage collector: there may be 100,000 of them.
    """

    value: bytes
    flags: int
    index: int
    session: str = ""


class Listing(msgspec.Struct, frozen=True):
    """One consistent recursive read of a prefix.

    ``entries`` holds the configuration by key relative to the prefix, without syncd's own keys; ``own`` holds those
    (``revision``, ``lease``, ``control``, by their last segment). ``index`` is the prefix's X-Consul-Index.
    """

    entries: dict[str, Entry]
    own: dict[str, Entry]
    index: int
