"""Signatures, checked by the specification's own library, and the file that the secrets come from."""

import base64
import hmac
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier

from syncd.fanout.webhook.signing import LOOK_EVERY, SecretFile, Signer, parse_secrets

SECRETS = st.binary(min_size=24, max_size=64)
LATER = LOOK_EVERY


def written(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


def single(secret: bytes, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(secret, signed, "sha256"))


@given(st.lists(SECRETS, min_size=1, max_size=4), st.binary(max_size=300))
def test_every_secret_signs_as_hmac_does(secrets: list[bytes], signed: bytes) -> None:
    assert Signer(tuple(secrets)).sign(signed).split(b" ") == [single(secret, signed) for secret in secrets]


@given(SECRETS, st.text(max_size=50))
def test_a_signature_is_what_the_specifications_library_makes(secret: bytes, body: str) -> None:
    time = datetime.fromtimestamp(1_700_000_000, UTC)
    theirs = Verifier(written(secret)).sign("m1", time, body)
    assert Signer((secret,)).sign(f"m1.1700000000.{body}".encode()).decode() == theirs


def test_secrets_stand_one_a_line() -> None:
    old, new = b"o" * 24, b"n" * 64
    assert parse_secrets(f"\n  {written(new)}\r\n\n{written(old)}  ") == (new, old)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no secret"),
        ("\n \n", "holds no secret"),
        ("hunter2hunter2hunter2hunter2", "line 1 does not begin with whsec_"),
        (f"{written(b'x' * 24)}\nWHSEC_hunter2", "line 2 does not begin with whsec_"),
        ("whsec_hunter2", "line 1 is not base64"),
        ("whsec_hunter2é", "line 1 is not base64"),
        (f"{written(b'x' * 24)} # hunter2", "line 1 is not base64"),
        (written(b"hunter2"), "line 1 has 7 bytes"),
        (written(b"hunter2" * 10), "line 1 has 70 bytes"),
        ("whsec_", "line 1 has 0 bytes"),
        ("\n".join([written(b"hunter2" * 4)] * 11), "holds 11 secrets"),
    ],
)
def test_any_other_line_is_refused_without_being_repeated(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        parse_secrets(text)
    assert "hunter2" not in str(refused.value)
    assert base64.b64encode(b"hunter2").decode()[:8] not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file or directory"), (b"", "holds no secret"), (b"\xff\xfe", "not text"), (b"x", "line 1")],
)
def test_a_file_that_cannot_be_used_at_first_is_refused(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=why) as refused:
        SecretFile(str(path))
    assert str(refused.value).startswith(f"secret_file {path}: ")


def test_a_rotated_secret_signs_a_second_later(tmp_path: Path) -> None:
    path, old, new = tmp_path / "secret", b"o" * 32, b"n" * 32
    path.write_text(written(old))
    secrets = SecretFile(str(path))
    assert secrets.signer(100.0).sign(b"x") == single(old, b"x")
    replace(path, f"{written(new)}\n{written(old)}")
    assert secrets.signer(100.0 + LATER / 2).sign(b"x") == single(old, b"x"), "the file is looked at once a second"
    assert secrets.signer(100.0 + LATER).sign(b"x") == single(new, b"x") + b" " + single(old, b"x")


@pytest.mark.parametrize("damage", ["", "whsec_half", None])
def test_a_file_that_breaks_later_leaves_the_last_good_secrets_and_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str | None
) -> None:
    path, secret = tmp_path / "secret", b"s" * 32
    path.write_text(written(secret))
    secrets = SecretFile(str(path))
    secrets.signer(0.0)
    if damage is None:
        path.unlink()
    else:
        replace(path, damage)
    for second in (1, 2, 3):
        assert secrets.signer(second).sign(b"x") == single(secret, b"x")
    logged = capsys.readouterr().out
    assert logged.count("webhooks are still signed with the last good secrets") == 1
    assert "half" not in logged
    replace(path, written(b"n" * 32))
    assert secrets.signer(4.0).sign(b"x") == single(b"n" * 32, b"x"), "and recovers"


def replace(path: Path, text: str) -> None:
    """Write as a person's editor or a secret store does: a new file, renamed into place."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
