"""Where a setting comes from, and what is said when it is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.core.errors import SettingsError
from syncd.settings import CATALOGUE, Settings, load
from syncd.settings.model import variable_of

Load = Callable[..., Settings]
HOME = {"HOME": "/home/ana"}


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    """Load with a file's text, flags and variables, in a folder of its own."""

    def loaded(
        toml: str = "", flags: dict[str, object] | None = None, config: str | None = None, **variables: str
    ) -> Settings:
        if toml:
            (tmp_path / "syncd.toml").write_text(toml)
        return load(flags or {}, {**HOME, **variables}, tmp_path, config=config, system=tmp_path / "etc")

    return loaded


def problems(loaded: Load, *args: object, **variables: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        loaded(*args, **variables)
    return caught.value.problems


def test_without_anything_every_setting_has_its_default(loaded: Load, tmp_path: Path) -> None:
    settings = loaded()
    assert settings.source.repository == tmp_path
    assert settings.source.path == settings.store.prefix == settings.source.name == "config/mordomo"
    assert (settings.source.branch, settings.source.worktree) == (None, False)
    assert (settings.store.lease_ttl, settings.store.parallel, settings.store.reconcile) == (15.0, 16, 600.0)
    assert (settings.store.address, settings.store.token_file, settings.store.datacenter) == (None, None, None)
    assert {settings.origin(name) for name in CATALOGUE} == {"default"}


def test_a_flag_beats_a_variable_beats_the_file(loaded: Load) -> None:
    toml = '[store]\nprefix = "file"\n[source]\n  path = "file"\nbranch = "file"\n'
    variables = {"SYNCD_STORE_PREFIX": "variable", "SYNCD_SOURCE_PATH": "variable"}
    settings = loaded(toml, {"store.prefix": "flag", "source.path": None}, **variables)
    assert (settings.store.prefix, settings.origin("store.prefix")) == ("flag", "flag --prefix")
    assert (settings.source.path, settings.origin("source.path")) == ("variable", "SYNCD_SOURCE_PATH")
    assert (settings.source.branch, settings.origin("source.branch")) == ("file", "syncd.toml:5:1")


def test_prefix_follows_path_and_name_follows_prefix(loaded: Load) -> None:
    assert loaded('[source]\npath = "a/b"\n').store.prefix == "a/b"
    assert loaded('[store]\nprefix = "p"\n').source.name == "p"


def test_the_root_may_be_the_prefix(loaded: Load) -> None:
    assert loaded('[store]\nprefix = ""\n').store.prefix == ""
    assert loaded(flags={"store.prefix": ""}).store.prefix == ""


def test_an_empty_variable_counts_as_not_set(loaded: Load) -> None:
    assert loaded(SYNCD_STORE_PREFIX="").origin("store.prefix") == "default"


@pytest.mark.parametrize(
    ("text", "value"), [("10s", 10.0), ("1m30s", 90.0), ("24h", 86400.0), ("10.5s", 10.5), ("1d", 86400.0)]
)
def test_durations_have_units(loaded: Load, text: str, value: float) -> None:
    assert loaded(SYNCD_STORE_LEASE_TTL=text).store.lease_ttl == value


def test_relative_paths_start_where_they_were_written(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/s.toml").write_text('[source]\nrepository = "../tree"\n[store]\ntoken_file = "/t"\n')
    settings = loaded(config="conf/s.toml", SYNCD_STATE_DIRECTORY="state")
    assert settings.source.repository == tmp_path / "conf" / ".." / "tree"
    assert settings.origin("source.repository") == "conf/s.toml:2:1"
    assert settings.store.token_file == Path("/t")
    assert settings.state_directory == tmp_path / "state"


def test_a_file_in_the_working_directory_hides_the_systems(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/syncd.toml").write_text('[store]\nprefix = "system"\nparallel = 2\n')
    assert loaded().store.prefix == "system"
    assert loaded().origin("store.prefix") == f"{tmp_path}/etc/syncd.toml:2:1"
    settings = loaded('[store]\nprefix = "here"\n')
    assert (settings.store.prefix, settings.store.parallel) == ("here", 16)


def test_a_variable_names_the_file_and_a_flag_names_another(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("[store]\nparallel = 1\n")
    (tmp_path / "two.toml").write_text("[store]\nparallel = 2\n")
    assert loaded(SYNCD_CONFIG="one.toml").store.parallel == 1
    assert loaded(SYNCD_CONFIG="one.toml", config="two.toml").store.parallel == 2


def test_every_problem_is_reported_at_once(loaded: Load) -> None:
    toml = """
state_directory = 3
[store]
prefix = "/a//b"
paralel = 4
parallel = 0
lease_ttl = 15
reconcile = "5s"
[source]
worktree = "yes"
path = "a/../b"
[snapshots]
keep_last = 0
"""
    found = problems(loaded, toml, flags={"log.level": "loud"}, SYNCD_STORE_PARALLEL="many", SYNCD_PREFIX="x")
    assert sorted(found) == sorted(
        (
            "--log-level: must be debug, info, warning or error, not 'loud'",
            "SYNCD_PREFIX: there is no such setting (did you mean SYNCD_STORE_PREFIX?)",
            "SYNCD_STORE_PARALLEL: must be a whole number, not 'many'",
            "syncd.toml:2:1: state_directory: must be text between quotes, not 3",
            "syncd.toml:4:1: store.prefix: '/a//b' must not begin or end with a slash; write 'a/b'",
            "syncd.toml:5:1: there is no setting store.paralel (did you mean store.parallel?)",
            "syncd.toml:6:1: store.parallel: must be 1 to 64, not 0",
            'syncd.toml:7:1: store.lease_ttl: needs a unit: write "15s" for seconds',
            "syncd.toml:8:1: store.reconcile: must be 10s to 24h, not 5s",
            "syncd.toml:10:1: source.worktree: must be true or false (without quotes), not 'yes'",
            "syncd.toml:11:1: source.path: 'a/../b' holds the segment '..'",
            "syncd.toml:13:1: snapshots.keep_last: must be 1 to 10000, not 0",
        )
    )


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('[store]\nprefix = "a/.syncd"', "2:1: store.prefix: 'a/.syncd' holds the segment '.syncd'"),
        ('[store]\nprefix = "a//b"', "2:1: store.prefix: 'a//b' holds an empty segment"),
        ('[store]\nprefix = "a/"', "2:1: store.prefix: 'a/' must not begin or end with a slash; write 'a'"),
        ('[store]\nprefix = "/"', "2:1: store.prefix: '/' must not begin or end with a slash; write \"\" for"),
        (f'[store]\nprefix = "{"x" * 500}"', "2:1: store.prefix: leaves no room for keys"),
        ('[store]\nprefix = "e\\u0301"', "2:1: store.prefix: 'e\u0301' holds text that is not in Unicode's NFC"),
        ('[store]\naddress = "a\\nb"', "2:1: store.address: holds a control character"),
        ('[store]\naddress = ""', "2:1: store.address: must not be empty"),
        ('[store]\ntoken_file = ""', "2:1: store.token_file: must not be empty"),
        (
            '[store]\ntoken_file = "~nobody-here/t"',
            "2:1: store.token_file: '~nobody-here/t': the home directory is not",
        ),
        ("[store]\nparallel = true", "2:1: store.parallel: must be a whole number (without quotes), not True"),
        ('[store]\nlease_ttl = "15"', "2:1: store.lease_ttl: '15' is not a duration; write one like 15s"),
        ('source = "x"', "1:1: source must be a section: write [source]"),
        ('store = { prefix = "x/" }', "1:1: store.prefix: 'x/' must not"),
        ('store.prefix = "x/"', "1:1: store.prefix: 'x/' must not"),
        ("[stroe]\nx = 1", "1:2: there is no setting stroe (did you mean store?)"),
        ("[store]\n[source]\n[store]", "3:7: store is begun a second time; put all of it into one place"),
        ('prefix = "x"', "1:1: there is no setting prefix (did you mean store.prefix?)"),
        ("[store]\nbranch = 1", "2:1: there is no setting store.branch (did you mean source.branch?)"),
        ("[snapshots]\nat = 1", "2:1: there is no setting snapshots.at"),
        ("[snapshot]\nkeep_last = 1", "1:2: there is no setting snapshot"),
        ('[store]\nprefix = "a"\nprefix = "b"', " this name is given a second time (at end of document)"),
        ("[store\n", "1:7: Expected ']' at the end of a table declaration"),
        ('[store]\nprefix = "a"\nprefix = "b"\n', "3:13: this name is given a second time"),
    ],
)
def test_a_bad_file_is_told_with_line_and_column(loaded: Load, toml: str, problem: str) -> None:
    (found,) = problems(loaded, toml)
    assert found.startswith(f"syncd.toml:{problem}")


def test_text_that_looks_like_a_key_inside_a_string_is_no_key(loaded: Load) -> None:
    toml = '[source]\nname = """\nbranch = 1\n"""\nbranch = ""\n'
    assert problems(loaded, toml) == (
        "syncd.toml:2:1: source.name: holds a control character",
        "syncd.toml:5:1: source.branch: must not be empty",
    )


def test_a_named_file_that_is_not_there_is_an_error(loaded: Load) -> None:
    assert problems(loaded, config="gone.toml") == ("gone.toml: cannot be read: No such file or directory",)


def test_a_file_that_cannot_be_read_is_not_passed_over(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "syncd.toml").symlink_to("syncd.toml")
    assert problems(loaded) == ("syncd.toml: cannot be read: Too many levels of symbolic links",)


def test_a_file_that_is_not_text_is_an_error(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "syncd.toml").write_bytes(b"\xff\xfe")
    assert problems(loaded) == ("syncd.toml: is not UTF-8 text",)


def test_a_bad_value_is_told_even_where_a_better_place_gives_another(loaded: Load) -> None:
    found = problems(loaded, "[store]\nparallel = 0\n", flags={}, SYNCD_STORE_PARALLEL="3")
    assert found == ("syncd.toml:2:1: store.parallel: must be 1 to 64, not 0",)


def test_a_path_that_no_prefix_can_be_asks_for_a_prefix(loaded: Load) -> None:
    (found,) = problems(loaded, '[source]\npath = "a/.syncd"\n')
    assert found.startswith("store.prefix: source.path cannot stand in for it:")


def test_a_switch_in_a_variable_is_a_word(loaded: Load) -> None:
    assert loaded(SYNCD_SOURCE_WORKTREE="true").source.worktree is True
    assert loaded(SYNCD_SOURCE_WORKTREE="false").source.worktree is False
    found = problems(loaded, SYNCD_SOURCE_WORKTREE="1")
    assert found == ("SYNCD_SOURCE_WORKTREE: must be true or false, not '1'",)


def test_snapshots_are_kept_in_the_state_directory_unless_told_otherwise(loaded: Load, tmp_path: Path) -> None:
    settings = loaded(SYNCD_STATE_DIRECTORY="state")
    assert settings.snapshots.directory == tmp_path / "state/snapshots"
    assert loaded(SYNCD_SNAPSHOTS_DIRECTORY="/backup").snapshots.directory == Path("/backup")


def test_variables_that_kubernetes_sets_are_not_ours(loaded: Load) -> None:
    kubernetes = {"SYNCD_SERVICE_HOST": "10.0.0.1", "SYNCD_PORT_8510_TCP": "tcp://10.0.0.1:8510"}
    assert loaded(**kubernetes) == loaded()


def test_what_a_subscribers_command_is_told_does_not_keep_it_from_calling_syncd(loaded: Load) -> None:
    assert loaded(SYNCD_EVENT_ID="e1", SYNCD_EVENT_COMMIT="c0ffee") == loaded()


def test_consuls_variables_are_shown_without_their_secrets(loaded: Load) -> None:
    settings = loaded(
        CONSUL_HTTP_ADDR="https://ana:hunter2@consul:8501",
        CONSUL_HTTP_TOKEN="hunter2",
        CONSUL_HTTP_AUTH="ana:hunter2",
        CONSUL_CACERT="/ca.pem",
        CONSUL_HTTP_SSL="",
    )
    assert settings.consul == {
        "CONSUL_CACERT": "/ca.pem",
        "CONSUL_HTTP_ADDR": "https://consul:8501",
        "CONSUL_HTTP_AUTH": "(set)",
        "CONSUL_HTTP_TOKEN": "(set)",
    }
    assert settings.origin("store.address") == "CONSUL_HTTP_ADDR"
    assert settings.store.address is None
    assert settings.origin("store.token_file") == "default"


def test_a_flag_beats_consuls_variable(loaded: Load) -> None:
    settings = loaded(flags={"store.address": "here:1"}, CONSUL_HTTP_ADDR="there:2")
    assert (settings.store.address, settings.origin("store.address")) == ("here:1", "flag --address")


def test_snapshots_are_scheduled_where_somebody_says_where_to_or_with_which_token(loaded: Load) -> None:
    assert loaded().snapshots.schedule == ""
    assert loaded(SYNCD_SNAPSHOTS_KEEP_LAST="5").snapshots.schedule == ""
    for name in ("SYNCD_SNAPSHOTS_DIRECTORY", "SYNCD_SNAPSHOTS_TOKEN_FILE"):
        assert loaded(**{name: "/x"}).snapshots.schedule == "0 2 * * *"
    assert loaded(flags={"snapshots.schedule": ""}, SYNCD_SNAPSHOTS_DIRECTORY="/x").snapshots.schedule == ""
    assert loaded(SYNCD_SNAPSHOTS_SCHEDULE="@weekly").snapshots.schedule == "@weekly"


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("SYNCD_SNAPSHOTS_SCHEDULE", "@hourly", "five fields"),
        ("SYNCD_SNAPSHOTS_SCHEDULE", "0 */2 * * *", "once a day at most"),
        ("SYNCD_SNAPSHOTS_TIMEZONE", "Europe", "Europe/Berlin"),
        ("SYNCD_SNAPSHOTS_TIMEZONE", "../../etc/passwd", "Europe/Berlin"),
        ("SYNCD_SNAPSHOTS_JITTER", "7h", "0s to 6h"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(loaded: Load, variable: str, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        loaded(**{variable: text})
    assert variable in str(caught.value)


def test_every_setting_has_a_variable(loaded: Load) -> None:
    samples = {"cron expression": "@daily", "time zone": "UTC"}
    samples |= {"true or false": "true", "folder": "/x", "file": "/x", "text": "x", "folder inside the repository": "x"}
    lists = {"http.hosts": "a,b", "catalog.values": "a:b", "snapshots.after": "a,b"}
    for name, setting in CATALOGUE.items():
        text = samples.get(setting.type.describe) or {"store.prefix": "x", "log.level": "debug"}.get(name)
        text = text or {"log.format": "json", "store.parallel": "2"}.get(name, "20s")
        text = "2" if name.startswith("snapshots.keep") else text
        text = {"http.listen": "[::1]:80", **lists}.get(name, text)
        settings = loaded(**{variable_of(name): text})
        assert settings.origin(name) == variable_of(name)
        shown = '["' + text.replace(",", '", "') + '"]' if name in lists else text
        assert setting.type.show(settings.value(name)) == shown


def test_in_a_folder_of_a_repository_the_file_at_its_top_counts(tmp_path: Path) -> None:
    top, system = tmp_path / "clone", tmp_path / "etc"
    below = top / "config" / "deep"
    below.mkdir(parents=True)
    system.mkdir()
    (system / "syncd.toml").write_text('[store]\nprefix = "system"\n')
    (top / "syncd.toml").write_text('[source]\nrepository = "."\n[store]\nprefix = "top"\n')

    assert load({}, HOME, below, system=system).store.prefix == "system"
    (top / ".git").mkdir()
    settings = load({}, HOME, below, system=system)
    assert (settings.store.prefix, settings.source.repository) == ("top", top)
    assert settings.origin("store.prefix") == "../../syncd.toml:4:1"
    assert settings.file == top / "syncd.toml"
    (below / "syncd.toml").write_text('[store]\nprefix = "own"\n')
    assert load({}, HOME, below, system=system).store.prefix == "own"


def test_the_hint_fits_where_the_mistake_is(loaded: Load) -> None:
    for given, hint in (({"flags": {"store.prefix": "/x"}}, "--help"), ({"SYNCD_STORE_PARALLEL": "0"}, "settings.md")):
        with pytest.raises(SettingsError) as caught:
            loaded(**given)
        assert hint in caught.value.hint
