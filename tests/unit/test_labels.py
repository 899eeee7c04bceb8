"""What audio tracks are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.domain import labels
from tests.unit.tracks import voice


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("eng", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("FRE", "fr"),
        ("en", "en"),
        ("pt-BR", "pt-BR"),
        ("zho-Hant", "zh-Hant"),
        ("gsw", "gsw"),
        ("und", "und"),
        ("", "und"),
        ("english", "und"),
        ("e", "und"),
        ('en"', "und"),
        ("en-", "und"),
        ("en\n", "und"),
    ],
)
def test_languages_are_written_as_players_expect_them(code: str, tag: str) -> None:
    assert labels.language(code) == tag


def test_a_track_is_named_by_its_title_or_else_its_language() -> None:
    tracks = [
        voice(title="Director"),
        voice(language="pt-BR"),
        voice(language="xyz"),
        voice(language="und", title=" \t"),
    ]
    assert labels.names(tracks) == ("Director", "Portuguese", "Audio", "Audio 2")


def test_a_name_given_twice_is_numbered_past_those_that_are_taken() -> None:
    titles = ["Mix", "Mix 2", "Mix", "Mix"]
    assert labels.names([voice(title=t) for t in titles]) == ("Mix", "Mix 2", "Mix 3", "Mix 4")


@given(st.lists(st.sampled_from(["A", "A 2", "A 3", "", None]), max_size=8))
def test_no_two_tracks_have_one_name(titles: list[str | None]) -> None:
    names = labels.names([voice(title=title) for title in titles])
    assert len(set(names)) == len(names) == len(titles)


def test_text_is_cleaned_of_what_ends_a_line_or_a_quotation() -> None:
    assert labels.clean(' a "b"\r\nc\x00d\u2028e\x85f\ud800 g\uffff ') == "a 'b' c d e f g"


@given(st.text())
def test_clean_text_is_one_line_without_double_quotes_and_stays_clean(text: str) -> None:
    cleaned = labels.clean(text)
    assert '"' not in cleaned
    assert len(cleaned.splitlines()) <= 1
    assert labels.clean(cleaned) == cleaned
