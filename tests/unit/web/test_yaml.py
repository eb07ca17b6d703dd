"""The configuration as YAML says what it says as JSON."""

import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from syncd.web import yaml

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXT.filter(bool), TEXT | st.builds(lambda text: {"base64": text}, TEXT), max_size=5))
def test_any_text_is_read_back_as_it_was(pairs: dict[str, object]) -> None:
    assert pyyaml.safe_load(yaml.render({"index": 4, "revision": None}, "keys", pairs)) == {
        "index": 4,
        "revision": None,
        "keys": pairs,
    }


def test_each_key_has_a_line_of_its_own() -> None:
    text = b'"index": 4\nkeys:\n  "a/b": "no"\n  "c": "1"\n'
    assert yaml.render({"index": 4}, "keys", {"a/b": "no", "c": "1"}) == text
