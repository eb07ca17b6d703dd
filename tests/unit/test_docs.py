"""What the documents say of the code is true, and what people need stands in them."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from syncd.cli.entry import COMMANDS
from syncd.cli.errors import USAGE
from syncd.core import guards
from syncd.core.desired import DesiredKey
from syncd.core.errors import SyncdError
from syncd.core.guards import Guard
from syncd.core.plan import WITHHELD
from syncd.core.rules import Rules
from syncd.core.tree import parse_file
from syncd.daemon.service import QUERY_SECONDS
from syncd.daemon.supervisor import STEP_SECONDS
from syncd.git.follow import RESCAN
from syncd.settings import load

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README: Final = (ROOT / "README.md").read_text()
OPERATIONS: Final = (ROOT / "docs/operations.md").read_text()
SUBSCRIBING: Final = (ROOT / "docs/subscribing.md").read_text()
ARCHITECTURE: Final = (ROOT / "docs/architecture.md").read_text()


def section(page: str, title: str) -> str:
    """Return what stands below a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {title!r}"
    return found[1]


def first_cells(text: str) -> list[str]:
    """List the first column of a section's tables."""
    return re.findall(r"^\| *([^|]*?) *\|", text, re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


# -- links


def anchors(page: Path) -> set[str]:
    """Name a page's headings as forges do."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


# -- promises


def promises() -> dict[int, list[str]]:
    """Read each promise's number and the files that are named with it."""
    items = re.split(r"^(\d+)\. ", section(ARCHITECTURE, "Promises"), flags=re.MULTILINE)[1:]
    return {
        int(number): re.findall(r"`(tests/\S+\.py)`", text)
        for number, text in zip(items[::2], items[1::2], strict=True)
    }


def tagged() -> Iterator[tuple[int, str]]:
    """List the promises that tests name, each with its file."""
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        for number in re.findall(r"^(?:# promise |def test_promise_)(\d+)", path.read_text(), re.MULTILINE):
            yield int(number), str(path.relative_to(ROOT))


def test_promises_are_numbered_from_one() -> None:
    assert list(promises()) == list(range(1, len(promises()) + 1))


def test_each_promise_names_the_files_whose_tests_name_it() -> None:
    named = {(number, file) for number, files in promises().items() for file in files}
    assert named == set(tagged())


# -- commands, guards, exit codes


def commands(group: click.Command, path: str = "") -> Iterator[str]:
    """Name every command that does something."""
    if not isinstance(group, click.Group):
        yield path
        return
    for name, command in group.commands.items():
        yield from commands(command, f"{path} {name}".strip())


def test_the_readme_lists_every_command() -> None:
    listed = {
        " ".join(word for word in code.split() if word.islower() and not word.startswith("-"))
        for cell in first_cells(README)
        for code in re.findall(r"`([^`]*)`", cell)
    }
    every = {path for command in COMMANDS for path in commands(command.load(), str(command.name))}
    assert every == listed


def test_every_guard_and_every_reason_to_wait_is_explained() -> None:
    listed = {cell.strip("`") for cell in first_cells(section(OPERATIONS, "Guards")) if cell.startswith("`")}
    assert listed == {guard.value for guard in Guard} | set(WITHHELD)


def test_the_guards_table_gives_the_limits_as_they_are() -> None:
    row = next(line for line in OPERATIONS.splitlines() if line.startswith("| `mass-delete`"))
    assert f"more than {guards.MASS_DELETE_KEYS} keys, and more than {100 // guards.MASS_DELETE_DIVISOR} %" in row
    for guard in Guard:
        row = next(line for line in OPERATIONS.splitlines() if line.startswith(f"| `{guard}`"))
        assert ("| never" in row) == (guard in guards.NEVER_LIFTED)


def test_every_exit_code_of_an_error_is_explained() -> None:
    def codes(error: type[SyncdError]) -> Iterator[int]:
        yield error.exit_code
        for kind in error.__subclasses__():
            yield from codes(kind)

    listed = {int(cell) for cell in first_cells(section(OPERATIONS, "Exit codes")) if cell.isdigit()}
    assert {*codes(SyncdError), USAGE, 0, 2, 130} <= listed


def test_what_operations_quotes_of_the_log_is_what_the_code_says() -> None:
    code = "".join(path.read_text() for path in ROOT.glob("syncd/**/*.py"))
    answers = [cell for cell in first_cells(section(OPERATIONS, "What to do when")) if cell.startswith("`")]
    levels = re.findall(r"^\| `(?:info|warning|error)` \|.*\|(.*)\|$", section(OPERATIONS, "Logs"), re.MULTILINE)
    assert (len(answers), len(levels)) == (14, 3)
    for quoted in re.findall(r"`([^`]+)`", " ".join([*answers, *levels])):
        assert quoted.removesuffix(" …") in code, quoted


# -- examples


def seed() -> dict[str, DesiredKey]:
    """Read ``config/mordomo``, the project's own tree, as it stands on disk."""
    folder, rules = ROOT / "config/mordomo", Rules.parse(None, None)
    return {
        f"config/mordomo/{key}": said
        for path in sorted(folder.glob("*.yaml"))
        for key, said in parse_file(
            path.name, path.read_bytes(), rules.policy(path.name), "config/mordomo"
        ).keys.items()
    }


def test_the_readme_shows_what_its_commands_would_answer() -> None:
    """Only the seed's values: what an edit makes of them, the tests of ``run`` show."""
    (console, *_) = blocks(README, "console")
    asked = re.findall(r"/v1/kv/(\S+)\?raw'\n(.*)\n", console)
    ((old, new),) = re.findall(r"sed -i 's/(.*?)/(.*?)/'", console)
    key, value = asked[0]
    said = seed()[key]
    assert value == old == said.value.decode()
    assert asked[1] == (key, new)
    place = f"at=config/mordomo/{said.path}:{said.line}:{said.column}"
    assert f"old={old} new={new} {place}\n" in README
    assert f"old=by-hand new={new} {place}\n" in README
    assert f" keys={len(seed())} " in README


@pytest.mark.parametrize("page", [README, OPERATIONS, SUBSCRIBING], ids=["README", "operations", "subscribing"])
def test_settings_shown_as_an_example_are_settings(page: str, tmp_path: Path) -> None:
    shown = blocks(page, "toml") + re.findall(r"<<'END'\n(.*?)^END$", page, re.MULTILINE | re.DOTALL)
    assert shown
    for number, text in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        settings = load({}, {"HOME": str(tmp_path)}, tmp_path, config=str(file))
        said = tomllib.loads(text)
        assert settings.store.prefix == said.get("store", {}).get("prefix", settings.source.path)
        assert [each.name for each in settings.subscribers] == [each["name"] for each in said.get("subscriber", [])]


def test_what_snapshots_shows_are_settings_and_the_unit_as_it_is(tmp_path: Path) -> None:
    page = (ROOT / "docs/snapshots.md").read_text()
    unit = (ROOT / "systemd/syncd-snapshot.service").read_text()
    first, *others = blocks(page, "toml")
    assert len(others) == 6
    for text in (first, *others):
        (tmp_path / "syncd.toml").write_text(text)
        load({}, {"HOME": str(tmp_path)}, tmp_path)
    token = tomllib.loads(first)["snapshots"]["token_file"]
    assert f"#LoadCredential=token:{token}\n" in unit
    assert f"/dev/stdin {token} " in page
    assert "StateDirectory=syncd-snapshot\n" in unit
    assert "/var/lib/syncd-snapshot/snapshots" in page


def test_snapshots_names_every_command_on_them() -> None:
    page = (ROOT / "docs/snapshots.md").read_text()
    (group,) = (command for command in COMMANDS if command.name == "snapshot")
    for path in commands(group.load(), "snapshot"):
        assert f"syncd {path}" in page


def test_the_units_start_what_operations_installs() -> None:
    unit, instance = ((ROOT / "systemd" / name).read_text() for name in ("syncd.service", "syncd@.service"))
    assert "ExecStart=/opt/syncd/bin/syncd run\n" in unit
    assert "systemd/syncd.service systemd/syncd@.service /etc/systemd/system/" in OPERATIONS
    assert "sudo /opt/syncd/bin/pip install" in OPERATIONS
    assert "#LoadCredential=token:/etc/syncd/token\n" in unit
    assert 'token_file = "/run/credentials/syncd.service/token"\n' in OPERATIONS
    for ending in ("toml", "token"):
        assert f"/etc/syncd/shop.{ending}" in OPERATIONS
        assert f"/etc/syncd/%i.{ending}" in instance
    assert "`/var/lib/syncd-shop`" in OPERATIONS
    assert "StateDirectory=syncd-%i\n" in instance


def test_operations_tells_the_watchdog_s_patience_as_it_is() -> None:
    watchdog = " ".join(section(OPERATIONS, "Install as a service").partition("**The watchdog**")[2].split())
    assert f"{RESCAN:.0f} seconds between two looks at git" in watchdog
    assert f"{QUERY_SECONDS / 60:.0f} minutes for a question to the store" in watchdog
    assert f"{STEP_SECONDS / 60:.0f} minutes for one step of a pass" in watchdog
