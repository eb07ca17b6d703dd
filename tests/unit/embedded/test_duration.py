import pytest

from syncd.embedded.duration import nanoseconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("15s", 15 * 10**9),
        ("1m30s", 90 * 10**9),
        ("1.5h", 5400 * 10**9),
        (".5s", 5 * 10**8),
        ("1.s", 10**9),
        ("250ms", 250 * 10**6),
        ("3us4ns", 3004),
        ("2µs", 2000),
        ("-1s", -(10**9)),
        ("+1s", 10**9),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize("text", ["", "x", "5", "5 s", "s", "1d", ".s", "1s ", "9999999999h", "\u0661s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        nanoseconds(text)
