"""Which key is meant, and what is said of one that is none of the tree's."""

import pytest

from syncd.cli.explain import relative
from syncd.core.errors import SyncdError

KNOWN = frozenset(("brain/model", "config/mordomo/odd"))
PREFIX = "config/mordomo"


def test_a_key_is_meant_by_its_relative_or_whole_name() -> None:
    assert relative("brain/model", PREFIX, KNOWN) == "brain/model"
    assert relative("config/mordomo/brain/model", PREFIX, KNOWN) == "brain/model"
    assert relative("config/mordomo/odd", PREFIX, KNOWN) == "config/mordomo/odd"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("config/mordomo2/x", "'config/mordomo2/x' is outside the prefix 'config/mordomo'"),
        (".syncd/revision", "'.syncd/revision' is syncd's own: the control record"),
        ("config/mordomo/.syncd/lease", "'.syncd/lease' is syncd's own: the lock"),
        (".syncd/control", "people's orders"),
        ("brain/modle", "there is no key 'brain/modle', neither in git nor in the store .*did you mean brain/model"),
        ("elsewhere", "there is no key 'elsewhere'"),
    ],
)
def test_what_is_no_key_of_the_tree_is_told_as_what_it_is(name: str, said: str) -> None:
    with pytest.raises(SyncdError, match=said):
        relative(name, PREFIX, KNOWN)
