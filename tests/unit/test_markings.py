"""Chapters, subtitles and purposes, from what ffprobe says."""

import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.domain import labels, markings
from nextstream.domain.source import Chapter, Purpose, TextTrack


def stream(kind: str = "subtitle", codec: str = "subrip", **flags: int) -> dict[str, Any]:
    return {"index": 4, "codec_type": kind, "codec_name": codec, "disposition": flags}


@pytest.mark.parametrize(
    ("found", "purpose"),
    [
        (stream("audio", default=1), Purpose.MAIN),
        (stream("audio", comment=1), Purpose.COMMENTARY),
        (stream("audio", visual_impaired=1), Purpose.DESCRIPTION),
        (stream("audio", hearing_impaired=1), Purpose.CLARITY),
        (stream(hearing_impaired=1), Purpose.CAPTIONS),
        (stream(captions=1), Purpose.CAPTIONS),
        (stream(forced=1, hearing_impaired=1), Purpose.FORCED),
        ({}, Purpose.MAIN),
    ],
)
def test_dispositions_say_whom_a_track_is_for(found: dict[str, Any], purpose: Purpose) -> None:
    assert markings.purpose(found) is purpose


def test_only_subtitles_made_of_text_are_taken_and_not_without_end() -> None:
    streams = [
        {**stream(), "tags": {"language": "eng", "title": "T"}},
        stream(codec="hdmv_pgs_subtitle"),
        stream("audio", "aac"),
    ]
    assert markings.texts(streams) == (TextTrack(4, "subrip", "eng", "T"),)
    assert len(markings.texts([stream()] * 1000)) == markings.TEXTS_MAX


def test_webvtt_without_a_name_is_told_by_its_header() -> None:
    nameless = {"index": 4, "codec_type": "subtitle"}
    dump = "\n00000000: 5745 4256 5454 0a0a 5354 594c 450a 3a3a  WEBVTT..STYLE.::\n"
    other = "\n00000000: 3c3f 786d 6c20 7665 7273                 <?xml vers\n"
    assert markings.has_unnamed([stream(), nameless])
    assert not markings.has_unnamed([stream()])
    found = markings.texts([nameless | {"extradata": dump}, nameless | {"extradata": other}, nameless])
    assert found == (TextTrack(4, markings.BARE_WEBVTT),)


@pytest.mark.parametrize("code", ["e" * 200_000, "en\n", "en\x00", "e\ud800", ""], ids=len)
def test_a_language_that_can_be_no_tag_is_not_known(code: str) -> None:
    (text,) = markings.texts([{**stream(), "tags": {"language": code}}])
    assert text.language == "und"


@given(st.text())
def test_a_title_is_one_short_line(title: str) -> None:
    tags = {"title": title * 1000}
    (text,) = markings.texts([{**stream(), "tags": tags}])
    (chapter,) = markings.chapters([{"start_time": "0", "tags": tags}], Fraction(0), Fraction(9))
    for said in (text.title or "", chapter.title):
        assert len(said) <= markings.TITLE_MAX
        assert labels.clean(said) == said


def test_a_million_chapters_with_long_titles_take_no_time() -> None:
    found = [{"start_time": "0", "end_time": "1", "tags": {"title": "x" * 10**5}}] * 10**6
    began = time.process_time()
    assert len(markings.chapters(found, Fraction(0), Fraction(9))) == markings.CHAPTERS_MAX
    assert time.process_time() - began < 3  # seconds


def test_chapters_lie_within_the_video() -> None:
    times = [("0", "4"), ("4", "9"), ("9", "9"), ("100", "120")]
    found = [{"start_time": start, "end_time": end} for start, end in times]
    kept = markings.chapters(found, Fraction(1), Fraction(6))
    assert [(chapter.start_s, chapter.end_s) for chapter in kept] == [(0, 3), (3, 6)]


def test_a_chapter_without_a_start_is_left_out_and_one_without_an_end_has_no_length() -> None:
    found = [{"end_time": "4"}, {"start_time": "N/A", "end_time": "4"}, {"start_time": "2"}]
    assert markings.chapters(found, Fraction(0), Fraction(6)) == (
        Chapter(Fraction(2), Fraction(2), "Chapter 3"),
    )


def test_chapters_count_from_the_first_frame_and_have_a_name() -> None:
    found = [
        {"start_time": "0.000000", "end_time": "6.5", "tags": {"title": "In\ntro"}},
        {"start_time": "6.500000", "end_time": "9.0"},
    ]
    assert markings.chapters(found, Fraction(1), Fraction(60)) == (
        Chapter(Fraction(0), Fraction("5.5"), "In tro"),
        Chapter(Fraction("5.5"), Fraction(8), "Chapter 2"),
    )
    assert len(markings.chapters(found * 1000, Fraction(0), Fraction(60))) == markings.CHAPTERS_MAX
