"""Where decoding has to begin, by what a source's packets say."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from nextstream.domain import packets, seeking
from nextstream.domain.packets import Survey
from nextstream.domain.source import SourceInfo

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


def shown(pts_s: float, is_key: int, kind: str) -> list[str]:
    told = f"n:   0 pts:  12 pts_time:{pts_s} duration: 512 fmt:yuv420p iskey:{is_key} type:{kind} "
    return [
        "Input #0, mpegts",
        f"[Parsed_showinfo_0 @ 0x5] {told}",
        "n:   1 pts_time:99 iskey:1 type:I ",
    ]


def test_the_first_frame_after_a_seek_tells_whether_the_way_was_long_enough() -> None:
    assert seeking.arrives(shown(12.5, 0, "P"), Fraction("12.5"))
    assert not seeking.arrives(shown(12.6, 1, "I"), Fraction("12.5"))
    assert not seeking.arrives([], Fraction(100))


def test_a_seek_by_an_index_has_to_find_a_whole_picture() -> None:
    assert seeking.starts(shown(12.5, 1, "I"), Fraction("12.5"))
    assert seeking.starts(shown(12.5, 0, "?"), Fraction("12.5"))
    assert not seeking.starts(shown(12.5, 0, "P"), Fraction("12.5"))
    assert not seeking.starts(shown(12.6, 1, "I"), Fraction("12.5"))
    assert not seeking.starts([], Fraction(100))
