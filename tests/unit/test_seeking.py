"""Where decoding has to begin, by what a source's packets say."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from nextstream.domain import packets, seeking
from nextstream.domain.packets import Survey
from nextstream.domain.video import SourceInfo

TS = SourceInfo("mpegts", Fraction(3600), Fraction(100), 10**6, None)


def survey(*lines: str) -> Survey:
    return packets.survey(packets.read(lines), Fraction(1, 1000), Fraction(40, 1000))


KEYS = survey("0,0,40,K__", "2000,2000,40,K__", "2040,2040,40,___", "5000,5000,40,K__")


def test_the_longest_time_without_a_keyframe_is_found_also_at_the_end() -> None:
    assert KEYS.longest_gop_s == 3
    assert survey("0,0,40,K__", "9000,9000,40,___").longest_gop_s == 9
    assert survey("N/A,N/A,40,K__", "N/A,N/A,40,___").longest_gop_s == 0


def test_a_seek_without_an_index_runs_up_to_a_keyframe_and_through_a_renewal() -> None:
    assert seeking.run_up_s(TS, KEYS) == 2 * 3 + 1


@pytest.mark.parametrize(
    "source",
    [
        replace(TS, format="avi"),
        replace(TS, has_jumps=True),
        replace(TS, start_s=Fraction(-1)),
        replace(TS, start_s=seeking.WRAPS_S - 99),
    ],
    ids=["unknown format", "clock that jumps", "clock below zero", "clock that starts again"],
)
def test_no_way_is_known_where_a_seek_may_go_astray(source: SourceInfo) -> None:
    assert seeking.run_up_s(source, KEYS) is None


def test_a_way_that_is_too_long_or_unknown_is_none() -> None:
    assert seeking.run_up_s(TS, replace(KEYS, longest_gop_s=Fraction(15))) is None
    assert seeking.run_up_s(TS, replace(KEYS, longest_gop_s=Fraction(0))) is None


def test_the_first_frame_after_a_seek_tells_whether_the_way_was_long_enough() -> None:
    lines = ["#tb 0: 1/1000", "0,      12480,      12480,       40,    86400, 0x1234"]
    assert seeking.arrives(lines, 12.5)
    assert not seeking.arrives(lines, 12.4)
    assert not seeking.arrives(lines[:1], 12.5)
    assert not seeking.arrives([], 12.5)


def test_a_keyframe_in_name_only_is_told_by_what_decodes_first() -> None:
    assert seeking.finds_keyframe(["packet,500", "frame,500", "packet,540"])
    assert not seeking.finds_keyframe(["packet,500", "packet,540", "frame,540"])
    assert not seeking.finds_keyframe(["packet,500"])
