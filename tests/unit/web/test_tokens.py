"""Who may do what, by a token of which only the hash is kept."""

from hashlib import sha256
from pathlib import Path

import pytest

from syncd.web.tokens import Caller, Scope, Tokens, TokensError, read_tokens

HASH = "sha256:" + "0" * 64


def line(name: str, scope: str, token: str) -> str:
    return f"{name} {scope} sha256:{sha256(token.encode()).hexdigest()}\n"


def test_a_token_is_known_by_its_hash_alone(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# who\n\n" + line("grafana", "read", "abc") + line("ci", "read,sync", "def"))
    tokens = Tokens(file)
    assert tokens.find("abc") == Caller("grafana", Scope.READ)
    assert tokens.find("def") == Caller("ci", Scope.SYNC)
    assert tokens.find("") is None
    assert tokens.find(sha256(b"abc").hexdigest()) is None
    assert tokens.find("\udcff") is None


def test_scopes_include_those_below() -> None:
    assert Scope.NONE < Scope.READ < Scope.SYNC < Scope.ADMIN


def test_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(line("old", "read", "abc"))
    tokens = Tokens(file)
    other = tmp_path / "other"
    other.write_text(line("new", "admin", "def"))
    other.rename(file)
    assert tokens.find("abc") is None
    assert tokens.find("def") == Caller("new", Scope.ADMIN)


def test_while_the_file_is_damaged_or_gone_nobody_gets_in(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(line("old", "read", "abc"))
    tokens = Tokens(file)
    for change in (lambda: file.write_text(line("old", "read", "abc") + "half a line"), file.unlink):
        change()
        for _ in range(2):
            with pytest.raises(TokensError):
                tokens.find("abc")
    file.write_text(line("old", "read", "abc"))
    assert tokens.find("abc") == Caller("old", Scope.READ)


@pytest.mark.parametrize(
    "text", ["x", "x read", f"x write {HASH}", "x read sha256:00", "x read " + "0" * 64, f"x read, {HASH}"]
)
def test_a_line_that_is_no_token_is_named_by_its_place(text: str) -> None:
    with pytest.raises(TokensError) as caught:
        read_tokens(f"# one\n{text}\n", "tokens")
    assert caught.value.where == "tokens:2"
    assert text not in str(caught.value)


def test_a_file_that_cannot_be_used_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(TokensError, match="cannot be read"):
        Tokens(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(TokensError, match="not UTF-8"):
        Tokens(tmp_path / "binary")
    (tmp_path / "folder").mkdir()
    with pytest.raises(TokensError):
        Tokens(tmp_path / "folder")
