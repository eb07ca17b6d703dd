"""The page on settings is made from the settings."""

from pathlib import Path

from syncd.settings import document
from syncd.settings.model import CATALOGUE

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_says_what_the_code_says() -> None:
    assert PAGE.read_text() == document.page(), "run: python -m syncd.settings.document > docs/settings.md"


def test_every_setting_has_a_reason_and_a_default() -> None:
    for name, setting in CATALOGUE.items():
        assert setting.says, name
        assert setting.why, name
        assert (setting.default is None) == bool(setting.otherwise), name
