from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.embedded.tree import Tree

keys = st.binary(max_size=4) | st.sampled_from([b"a", b"a/b", b"a\xff", b"\xff", b"\xff\xff", b"\xff\xffa"])


@given(st.dictionaries(keys, st.integers()), keys)
def test_a_prefix_reads_what_starts_with_it_in_order(items: dict[bytes, int], prefix: bytes) -> None:
    tree = Tree(items.items())
    expected = sorted(key for key in items if key.startswith(prefix))
    assert tree.keys(prefix) == expected
    assert tree.values(prefix) == [items[key] for key in expected]


@given(st.lists(st.tuples(st.sampled_from(["put", "remove", "remove below"]), keys)))
def test_it_holds_what_a_dict_would(changes: list[tuple[str, bytes]]) -> None:
    tree: Tree[int] = Tree()
    model: dict[bytes, int] = {}
    for number, (change, key) in enumerate(changes):
        match change:
            case "put":
                tree.put(key, number)
                model[key] = number
            case "remove" if key in model:
                tree.remove(key)
                del model[key]
            case "remove below":
                below = {each: model.pop(each) for each in sorted(model) if each.startswith(key)}
                assert dict(tree.remove_below(key)) == below
        assert contents(tree) == model
        assert tree.get(key) == model.get(key)


def contents(tree: Tree[Any]) -> dict[bytes, Any]:
    return dict(zip(tree.keys(b""), tree.values(b""), strict=True))
