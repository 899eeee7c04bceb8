"""Sample tables of files that are never made: long, odd, and larger than 32 bits count."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.adapters.encoder_memory import movie
from nextstream.domain import fmp4, mp4
from nextstream.domain.fmp4 import Sample
from nextstream.domain.mp4 import Fragment, Movie
from nextstream.domain.video import Span

VIDEO = fmp4.read(movie(24000, 1000, 1, 1)).init
AUDIO = fmp4.read(movie(48000, 1024, 1, 1, audio=True)).init


def fragment(number: int, rows: Sequence[tuple[int, int, int]], offset: int = 0) -> Fragment:
    """Make a fragment of samples by ticks, composition offset and bytes; the first is a keyframe."""
    samples = [Sample(t, c, n == 0, Span(0, size)) for n, (t, c, size) in enumerate(rows)]
    moof_bytes = struct.unpack_from(">I", fmp4.write(samples, b"", number, 0))[0]
    return Fragment(number, offset, fmp4.write(samples, b"", number, 0)[:moof_bytes])


def tables(made: Movie, kind: bytes) -> Iterator[tuple[int, ...]]:
    """Give the 32-bit numbers of every table of a kind, its version and count left out."""
    at = made.head.find(kind)
    while at >= 0:
        size = struct.unpack_from(">I", made.head, at - 4)[0]
        form = ">%dQ" if kind == b"co64" else ">%di"
        count = (size - 16) // (8 if kind == b"co64" else 4)
        yield struct.unpack_from(form % count, made.head, at + 12)
        at = made.head.find(kind, at + 4)


rows = st.lists(
    st.tuples(st.integers(1, 5000), st.integers(-4000, 4000), st.integers(1, 2**20)),
    min_size=1,
    max_size=12,
)


@given(st.lists(rows, min_size=1, max_size=6))
def test_tables_say_what_the_fragments_said(fragments: list[list[tuple[int, int, int]]]) -> None:
    made = mp4.make([(VIDEO, 24000, [fragment(n, row) for n, row in enumerate(fragments, start=1)])])
    every = [row for part in fragments for row in part]
    (stts,), (stsz,) = tables(made, b"stts"), tables(made, b"stsz")
    ticks = [t for count, t in zip(stts[::2], stts[1::2], strict=True) for _ in range(count)]
    assert ticks == [row[0] for row in every]
    assert list(stsz[1:]) == [row[2] for row in every]
    offsets = [0] * len(every)
    for ctts in tables(made, b"ctts"):
        offsets = [c for count, c in zip(ctts[::2], ctts[1::2], strict=True) for _ in range(count)]
    assert offsets == [row[1] for row in every]
    keyframes = [1 + sum(len(part) for part in fragments[:n]) for n in range(len(fragments))]
    assert [list(found) for found in tables(made, b"stss")] == (
        [keyframes] if len(keyframes) < len(every) else []
    )
    assert sum(run.span.size_bytes for run in made.runs) == sum(row[2] for row in every)


def test_places_are_right_beyond_four_gigabytes() -> None:
    large = 2_000_000_000
    parts = [fragment(n, [(48000, 0, large)]) for n in (1, 2, 3)]
    made = mp4.make([(VIDEO, 24000, parts)])
    (places,) = tables(made, b"co64")
    assert places == tuple(len(made.head) + n * large for n in range(3))
    assert made.size_bytes == len(made.head) + 3 * large
    assert made.head[-16:] == struct.pack(">I4sQ", 1, b"mdat", 16 + 3 * large)


def test_runs_are_in_order_of_time_and_lie_behind_their_moofs() -> None:
    video = [fragment(n, [(24000, 0, 100)] * 2, offset=500 * (n - 1)) for n in (1, 2, 3)]
    sound = [fragment(1, [(48000, 0, 7)] * 6)]
    made = mp4.make([(VIDEO, 24000, video), (AUDIO, 48000, sound)])
    assert [run.track for run in made.runs] == [0, 1] * 3
    moof = len(video[0].moof) + 8
    assert [run.span for run in made.runs[::2]] == [Span(moof + 500 * n, 200) for n in range(3)]
    first = len(sound[0].moof) + 8
    assert [run.span for run in made.runs[1::2]] == [Span(first + 14 * n, 14) for n in range(3)]


@pytest.mark.parametrize(("sound_s", "heard_s"), [(5, 5), (6, 6), (9, 6)])
def test_the_sound_is_presented_no_longer_than_the_picture(sound_s: int, heard_s: int) -> None:
    video = [fragment(1, [(24000, 0, 1)] * 6)]
    sound = [fragment(1, [(48000, 0, 1)] * sound_s)]
    made = mp4.make([(VIDEO, 24000, video), (AUDIO, 48000, sound)])
    at = made.head.rfind(b"elst")
    assert Fraction(*struct.unpack_from(">Q", made.head, at + 12), 24000) == heard_s
