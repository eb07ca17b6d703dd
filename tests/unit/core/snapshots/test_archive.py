"""A snapshot's archive: what is whole is read, and nothing else is."""

import gzip
import random
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import Damaged
from syncd.core.snapshots.archive import PIECE, Archive, Meta
from tests.support.snapshots import INDEX, archive, kv, meta, packed, snapshot, state, sums, tar

STATE: Final = state([kv(f"k{number}", random.Random(number).randbytes(40)) for number in range(30)])
WHOLE: Final = archive(STATE)
FILES: Final = {"meta.json": meta(len(STATE)), "state.bin": STATE}
ENTRIES: Final = [*FILES.items(), ("SHA256SUMS", sums(FILES))]


def read(data: bytes, step: int = 1 << 20) -> tuple[bytes, Meta]:
    found, reading = b"", Archive()
    for start in range(0, len(data), step):
        found += b"".join(reading.feed(data[start : start + step]))
    return found, reading.finish()


@given(st.integers(1, 400))
def test_it_may_arrive_in_pieces_of_any_size(step: int) -> None:
    found, described = read(WHOLE, step)
    assert (found, described.index, described.term, described.size) == (STATE, INDEX, 2, len(STATE))


def test_the_files_may_stand_in_any_order() -> None:
    assert read(packed(tar(reversed(ENTRIES))))[0] == STATE


def test_what_is_squeezed_a_thousandfold_comes_out_in_small_pieces() -> None:
    large = state([kv("zeros", bytes(8 << 20))])
    pieces = [len(piece) for piece in Archive().feed(archive(large))]
    assert sum(pieces) == len(large)
    assert max(pieces) <= PIECE


def test_cut_off_anywhere_it_is_refused() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(Damaged):
            read(WHOLE[:length])


def test_a_flipped_bit_anywhere_is_refused_unless_it_changes_nothing() -> None:
    """Nobody reads the time in gzip's header (RFC 1952), nor the bits that fill up deflate's last byte."""
    harmless = 0
    for bit in range(len(WHOLE) * 8):
        flipped = bytearray(WHOLE)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = read(bytes(flipped))
        except Damaged:
            continue
        assert found == read(WHOLE)
        assert gzip.decompress(flipped) == gzip.decompress(WHOLE)
        harmless += 1
    assert 0 < harmless < 80


Make = Callable[[], bytes]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: b"", "cut off: its gzip stream"),
        (lambda: b"PK\x03\x04 not gzip at all", "not what gzip wrote"),
        (lambda: WHOLE + b"\0", "bytes follow the end of the gzip"),
        (lambda: WHOLE + WHOLE, "bytes follow the end of the gzip"),
        (lambda: packed(tar(ENTRIES, end=bytes(512))), "its tar archive has no end"),
        (lambda: packed(tar(ENTRIES, end=bytes(1025))), "bytes follow the end of the tar"),
        (lambda: packed(tar(ENTRIES, end=bytes(10240))), "bytes follow the end of the tar"),
        (lambda: packed(tar([], end=bytes(512)) + tar(ENTRIES)), "a single zero block"),
        (lambda: packed(tar([])), "holds no files"),
        (lambda: packed(tar(ENTRIES[:2])), "holds 'meta.json', 'state.bin', not what"),
        (lambda: packed(tar([*ENTRIES, ("extra", b"")])), "not what a snapshot holds"),
        (lambda: packed(tar([*ENTRIES, ENTRIES[0]])), "not what a snapshot holds"),
        (lambda: packed(tar([("../../state.bin", STATE)])), "not what a snapshot holds"),
        (lambda: packed(tar([("meta.json", bytes(2 << 20))])), "meta.json is too large"),
        (lambda: packed(b"x" * 1024), "holds no number"),
        (lambda: packed(tar(ENTRIES).replace(b"meta.json", b"meta.jsom", 1)), "a header of the tar archive is damaged"),
        (lambda: archive(STATE, SHA256SUMS=b"nothing\n"), "SHA256SUMS cannot be read"),
        (lambda: archive(STATE, SHA256SUMS=sums({"state.bin": STATE})), "SHA256SUMS cannot be read"),
        (lambda: archive(STATE, SHA256SUMS=sums({**FILES, "state.bin": b"x"})), "not what SHA256SUMS says"),
        (lambda: archive(STATE, meta_json=b"{}"), "meta.json cannot be read"),
        (lambda: archive(STATE, meta_json=meta(len(STATE) + 1)), "meta.json says"),
    ],
)
def test_what_is_no_snapshot_is_refused_with_the_reason(make: Make, said: str) -> None:
    with pytest.raises(Damaged, match=said):
        read(make())


def test_a_link_in_place_of_a_file_is_refused() -> None:
    plain = bytearray(tar(ENTRIES))
    plain[156:157] = b"2"
    plain[148:156] = b"%06o\0 " % (sum(plain[:148]) + 8 * 32 + sum(plain[156:512]))
    with pytest.raises(Damaged, match="of a kind that Consul does not write"):
        read(packed(bytes(plain)))


def test_output_that_ends_on_a_full_piece_is_complete() -> None:
    content = state([kv("k", bytes(PIECE))])
    padded = tar([("meta.json", meta(len(content))), ("state.bin", content)], end=b"")
    filler = -(len(padded) + 512) % (PIECE) - 1024
    entries = [("meta.json", meta(len(content))), ("state.bin", content), ("SHA256SUMS", bytes(filler))]
    reading = Archive()
    assert b"".join(reading.feed(packed(tar(entries)))) == content
    with pytest.raises(Damaged, match="SHA256SUMS cannot be read"):
        reading.finish()


def test_a_snapshot_without_keys_is_one() -> None:
    assert read(snapshot())[1].index == INDEX
