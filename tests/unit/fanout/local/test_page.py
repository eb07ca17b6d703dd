"""What docs/delivery.md shows is what happens."""

import re
from pathlib import Path

from syncd.core.event import ToldRevision
from syncd.core.rules import Rules
from syncd.core.tree import parse_file
from syncd.fanout.program import GRACE, KEPT, MOMENT
from syncd.fanout.published import FILTERS, Published, Reader
from syncd.fanout.template import MAX_BYTES, render
from syncd.settings import load
from tests.support.told import COMMIT

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/delivery.md").read_text()


def block(language: str) -> str:
    """Return the first block of a language below the heading on files."""
    part = PAGE.partition("\n## Files from templates\n")[2]
    found = re.search(rf"^```{language}\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def seed() -> dict[str, bytes]:
    rules = Rules.parse(None, None)
    return {
        key: said.value
        for path in (ROOT / "config/mordomo").glob("*.yaml")
        for key, said in parse_file(path.name, path.read_bytes(), rules.policy(path.name), "").keys.items()
    }


def test_the_template_makes_the_file_that_is_shown() -> None:
    published = Published("config/mordomo", seed(), ToldRevision(COMMIT))
    made = render(Path("whisper.env.j2"), block("jinja"), published, lambda: True)
    assert made.decode() == block("sh")


def test_the_subscribers_that_are_shown_can_be_set(tmp_path: Path) -> None:
    shown = "".join(re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    (tmp_path / "syncd.toml").write_text(shown)
    settings = load({}, {"HOME": str(tmp_path)}, tmp_path, config=str(tmp_path / "syncd.toml"))
    assert {"notify", "asr-env"} <= {subscriber.name for subscriber in settings.subscribers}


def test_every_function_and_filter_is_explained() -> None:
    for name in FILTERS:
        assert f"&#124; {name}" in PAGE
    for name in vars(Reader):
        assert name.startswith("_") or f"| `{name}(" in PAGE


def test_limits_are_given_as_they_are() -> None:
    assert (GRACE, MOMENT, KEPT, MAX_BYTES) == (2.0, 0.5, 8 << 10, 64 << 20)
    for said in ("two seconds later SIGKILL", "half a second", "last 8 KiB", "64 MiB"):
        assert said in PAGE
