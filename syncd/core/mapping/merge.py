"""Merge keys: ``<<``, as YAML 1.1 defined it and everybody uses it.

A mapping's own keys win over merged ones; in a list of mappings the earlier wins.
"""

from collections.abc import Iterable, Iterator

from syncd.core.mapping.limits import Budget, check_depth
from syncd.core.mapping.nodes import Fault, List, Map, Node, Scalar

Pair = tuple[Node, Node]

_HINT = "merge a mapping, an alias of one, or a list of those"


def is_merge(key: Node) -> bool:
    """Tell a merge key from a key that is called ``<<``, which stands in quotes."""
    return isinstance(key, Scalar) and key.value == "<<" and not key.style and key.tag is None


def merged_pairs(node: Map, budget: Budget, depth: int = 0) -> Iterable[Pair]:
    """List a mapping's pairs, with what it merges in the place of its merge key."""
    if not any(is_merge(key) for key in node.items[::2]):
        return node.pairs()
    check_depth(depth, node.start_mark)
    names = {_name(key) for key in node.items[::2] if not is_merge(key)}
    return list(_merge(node, names, budget, depth))


def _name(key: Node) -> str | None:
    return key.value if isinstance(key, Scalar) else None


def _merge(node: Map, names: set[str | None], budget: Budget, depth: int) -> Iterator[Pair]:
    first: Node | None = None
    for key, value in node.pairs():
        if not is_merge(key):
            yield key, value
        elif first is not None:
            place = f"{first.start_mark.line + 1}:{first.start_mark.column + 1}"
            raise Fault("duplicate-key", key.start_mark, f"a second merge key; the first is at {place}", _HINT)
        else:
            first = key
            yield from _sourced(value, names, budget, depth)


def _sourced(value: Node, names: set[str | None], budget: Budget, depth: int) -> Iterator[Pair]:
    for source in value.items if isinstance(value, List) and value.tag is None else [value]:
        if not isinstance(source, Map) or source.tag not in (None, "tag:yaml.org,2002:map"):
            raise Fault("bad-merge", source.start_mark, "only mappings can be merged", _HINT)
        budget.spend_nodes(len(source.items) + 1, source.start_mark)
        own = set[str | None]()
        for key, item in merged_pairs(source, budget, depth + 1):
            name = _name(key)
            if name is None or name not in names:
                own.add(name)
                yield key, item
        names |= own
