"""``[[subscriber]]`` in ``syncd.toml``: what it makes, and what is said when it is wrong."""

from pathlib import Path

import pytest

from syncd.core.errors import SettingsError
from syncd.core.subscriber import Command, File, Filter, Subscriber, Webhook
from syncd.settings import load


def loaded(folder: Path, toml: str) -> tuple[Subscriber, ...]:
    (folder / "syncd.toml").write_text(toml)
    return load({}, {"HOME": "/home/ana"}, folder).subscribers


def problems(folder: Path, toml: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        loaded(folder, toml)
    return caught.value.problems


def test_without_any_nobody_is_told(tmp_path: Path) -> None:
    assert loaded(tmp_path, "") == ()


def test_a_webhook_needs_an_address_alone(tmp_path: Path) -> None:
    (brain,) = loaded(tmp_path, '[[subscriber]]\nname = "brain"\nwebhook = "http://127.0.0.1:9000/x"\n')
    assert brain == Subscriber("brain", Webhook("http://127.0.0.1:9000/x"), origin="syncd.toml:1:3")
    assert (brain.kind, brain.scope, brain.filter.everything) == ("webhook", "leader", True)


def test_everything_that_a_webhook_may_have(tmp_path: Path) -> None:
    toml = """
[[subscriber]]
name = "brain"
webhook = "https://brain/x"
secret_file = "brain.secret"
timeout = "2s"
prefix = "brain/"
match = ["*/log_level"]
values = false
"""
    (brain,) = loaded(tmp_path, toml)
    assert brain.target == Webhook("https://brain/x", str(tmp_path / "brain.secret"), 2.0)
    assert (brain.filter, brain.values) == (Filter(("brain/",), ("*/log_level",)), False)


def test_a_command_alone_and_after_a_file(tmp_path: Path) -> None:
    toml = """
[[subscriber]]
name = "reload"
command = ["systemctl", "reload", "x"]
[[subscriber]]
name = "env"
file = "/etc/x.env"
template = "x.j2"
mode = "0600"
owner = "root:mordomo"
command = "/bin/true"
timeout = "5s"
signal = "SIGHUP"
pid_file = "/run/x.pid"
"""
    reload, env = loaded(tmp_path, toml)
    assert reload.target == Command(("systemctl", "reload", "x"), 30.0)
    assert env.target == File(
        "/etc/x.env",
        str(tmp_path / "x.j2"),
        0o600,
        "root",
        "mordomo",
        Command(("/bin/true",), 5.0),
        "HUP",
        "/run/x.pid",
    )
    assert (reload.scope, env.scope, env.origin) == ("node", "node", "syncd.toml:5:3")


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("subscriber = 1", "1:1: write each subscriber as [[subscriber]]"),
        ("[subscriber]\nname = 1", "1:2: write each subscriber as [[subscriber]]"),
        ('[[subscriber]]\nwebhook = "http://x"', "1:3: a subscriber needs a name"),
        ('[[subscriber]]\nname = "a b"\nwebhook = "http://x"', "2:1: name: letters, digits"),
        ('[[subscriber]]\nname = "a"', "1:3: a subscriber has one of webhook, file and command"),
        ('[[subscriber]]\nname = "a"\nwebhook = "http://x"\ncommand = "y"', "1:3: a subscriber has one of"),
        ('[[subscriber]]\nname = "a"\nwebhook = "ftp://x"', "3:1: webhook: "),
        ('[[subscriber]]\nname = "a"\nurl = "x"', "3:1: a subscriber has no url; it may have name, webhook"),
        ('[[subscriber]]\nname = "a"\ncommand = []', "3:1: command: must not be empty"),
        ('[[subscriber]]\nname = "a"\ncommand = "logger hello"', "3:1: command: no shell reads it, so "),
        (
            '[[subscriber]]\nname = "a"\ncommand = "x"\nprefx = "b"',
            "4:1: a subscriber has no prefx (did you mean prefix",
        ),
        ('[[subscriber]]\nname = "a"\ncommand = 3', "3:1: command: must be a list of texts"),
        ('[[subscriber]]\nname = "a"\ncommand = "x"\nabout = "news"', "4:1: about: must be keys or snapshots"),
        (
            '[[subscriber]]\nname = "a"\ncommand = "x"\nabout = "snapshots"\nprefix = "b"',
            "5:1: prefix says nothing to a subscriber about snapshots",
        ),
        (
            '[[subscriber]]\nname = "a"\nfile = "x"\ntemplate = "y"\nabout = "snapshots"',
            "5:1: about: a file is made of keys",
        ),
        ('[[subscriber]]\nname = "a"\ncommand = "x"\nmode = "0600"', "4:1: mode says nothing to a command"),
        ('[[subscriber]]\nname = "a"\ncommand = "x"\ntimeout = 3', "4:1: timeout: needs a unit"),
        ('[[subscriber]]\nname = "a"\ncommand = "x"\nmatch = "!x"', "4:1: match: '!x' is a pattern that"),
        ('[[subscriber]]\nname = "a"\nfile = "x"', "3:1: a file needs a template"),
        ('[[subscriber]]\nname = "a"\nfile = "x"\ntemplate = "y"\nmode = "9"', "5:1: mode: write it in octal"),
        ('[[subscriber]]\nname = "a"\nfile = "x"\ntemplate = "y"\nowner = "a b"', "5:1: owner: write"),
        ('[[subscriber]]\nname = "a"\nfile = "x"\ntemplate = "y"\nsignal = "KILL"', "5:1: signal: one of HUP"),
        ('[[subscriber]]\nname = "a"\nfile = "x"\ntemplate = "y"\nsignal = "HUP"', "5:1: signal and pid_file need"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, toml: str, problem: str) -> None:
    found = problems(tmp_path, toml)
    assert any(each.startswith(f"syncd.toml:{problem}") for each in found), found


def test_a_name_is_unique_and_every_problem_is_told(tmp_path: Path) -> None:
    toml = '[[subscriber]]\nname = "a"\ncommand = "x"\n[[subscriber]]\nname = "a"\ncommand = "y"\n[[subscriber]]\n'
    assert problems(tmp_path, toml) == (
        "syncd.toml:5:1: 'a' is already the name of the one at syncd.toml:1:3",
        "syncd.toml:7:3: a subscriber needs a name",
        "syncd.toml:7:3: a subscriber has one of webhook, file and command (a command may follow a file)",
    )


def test_a_field_that_is_none_hides_no_other_fault(tmp_path: Path) -> None:
    toml = (
        '[[subscriber]]\nurl = "x"\n[[subscriber]]\nname = "a"\nprefx = 1\n[[subscriber]]\nname = "a"\ncommand = "y"\n'
    )
    told = "\n".join(problems(tmp_path, toml))
    for problem in (
        "2:1: a subscriber has no url",
        "1:3: a subscriber needs a name",
        "1:3: a subscriber has one of webhook",
        "5:1: a subscriber has no prefx",
        "3:3: a subscriber has one of webhook",
        "7:1: 'a' is already the name of the one at syncd.toml:3:3",
    ):
        assert f"syncd.toml:{problem}" in told


def test_a_program_with_a_space_in_its_path_stands_in_brackets(tmp_path: Path) -> None:
    (one,) = loaded(tmp_path, '[[subscriber]]\nname = "a"\ncommand = ["/opt/my program"]\n')
    assert one.target == Command(("/opt/my program",), 30.0)


def test_a_subscriber_about_snapshots_has_no_keys_to_choose(tmp_path: Path) -> None:
    (pager,) = loaded(tmp_path, '[[subscriber]]\nname = "a"\nwebhook = "http://x"\nabout = "snapshots"\n')
    assert (pager.filter, pager.scope) == (Filter(about="snapshots"), "node")
    (brain,) = loaded(tmp_path, '[[subscriber]]\nname = "a"\nwebhook = "http://x"\nabout = "keys"\nprefix = "a/"\n')
    assert (brain.filter, brain.scope) == (Filter(("a/",)), "leader")
