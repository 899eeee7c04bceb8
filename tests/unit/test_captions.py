"""Subtitles from strangers: what is understood, and that nothing else comes through."""

import re
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.domain import captions
from nextstream.domain.captions import Cue
from nextstream.errors import SubtitlesInvalid

SRT = """1
00:00:01,000 --> 00:00:02,500
Hello <i>there</i>

2
0:00:03.5 --> 00:00:04,000
two
lines
"""
TAGS = re.compile(r"</?(?:i|b|u|c|v|ruby|rt)(?:\.[A-Za-z0-9_]+)*(?: [^<>]*)?>")


def cue(text: str) -> Cue:
    (found,) = captions.read(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n".encode())
    return found


def test_subrip_becomes_webvtt_that_states_its_place_in_the_stream() -> None:
    assert captions.write(captions.read(SRT.encode())) == (
        "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"
        "00:00:01.000 --> 00:00:02.500\nHello <i>there</i>\n\n"
        "00:00:03.500 --> 00:00:04.000\ntwo\nlines\n"
    )


SCRIPT = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Bold, Italic
Style: Default,Arial,0,0
Style: Sign,Arial,-1,0

[Events]
Format: Layer, Start, End, Style, Name, Effect, Text
"""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (r"Default,,,{\i1}Hello{\i0} there,\Nyou", "<i>Hello</i> there,\nyou"),
        (r"Sign,,,{\an8\pos(1,2)}Exit{\b0} here", "<b>Exit</b> here"),
        (r"Sign,,,{\b0}Exit{\r} here", "Exit<b> here</b>"),
        (r"Default,,,{\p1}m 0 0 l 9 0{\p0}Text", "Text"),
        (r"Default,,,{\k20}ka{\kf30}ra{a note}", "kara"),
        (r"Default,,,hard\hspace <b> & \{x\} {y", "hard&nbsp;space &lt;b&gt; &amp; {x} {y"),
    ],
)
def test_a_script_s_words_are_read_without_what_draws_them(said: str, shown: str) -> None:
    line = f"Dialogue: 0,0:00:00.50,0:00:01.00,{said}\n"
    drawing = r"Dialogue: 0,0:00:00.50,0:00:09.00,Sign,,,{\p1}m 0 0 l 100 0{\p0}" + "\n"
    note = line.replace("Dialogue", "Comment")
    (found,) = captions.read((SCRIPT + line + line + drawing + note).encode())
    assert (found.start_s, found.end_s, found.text) == (Fraction(1, 2), 1, shown)


def test_what_is_written_is_read_as_the_same_cues() -> None:
    cues = captions.read(SRT.encode())
    assert captions.read(captions.write(cues).encode()) == cues


@pytest.mark.parametrize(
    "data",
    [
        SRT.replace("\n", "\r\n").encode(),
        SRT.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + SRT.encode(),
        SRT.encode("utf-16"),
        SRT.replace("\n\n", "\n \t\n\n\n").encode(),
    ],
    ids=["dos", "mac", "bom", "utf-16", "spaces"],
)
def test_line_ends_and_encodings_do_not_matter(data: bytes) -> None:
    assert captions.read(data) == captions.read(SRT.encode())


def test_a_tab_keeps_words_apart() -> None:
    assert cue("<v\tAda>Hello\tthere").text == "<v Ada>Hello there</v>"


def test_text_that_is_no_utf_8_is_read_as_western_windows_writes_it() -> None:
    (found,) = captions.read("1\n00:00:01,000 --> 00:00:02,000\nCafé 5 €".encode("cp1252"))
    assert found.text == "Café 5 €"


@pytest.mark.parametrize(
    ("language", "encoding", "text"),
    [
        ("ru", "cp1251", "Привет"),
        ("ja", "shift_jis", "こんにちは"),
        ("zh", "gbk", "你好"),
        ("zh-Hant", "big5", "你好"),
        ("pt-BR", "cp1252", "Olá"),
        ("ru", "utf-8", "Привет"),
    ],
)
def test_text_that_is_no_utf_8_is_read_as_windows_writes_its_language(
    language: str, encoding: str, text: str
) -> None:
    srt = f"1\n00:00:01,000 --> 00:00:02,000\n{text}"
    (found,) = captions.read(srt.encode(encoding), language=language)
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>bold</b> <u>line</u>", "<b>bold</b> <u>line</u>"),
        ("<v Fred>Hi", "<v Fred>Hi</v>"),
        ("<c.yellow.bg_blue>x</c>", "<c.yellow.bg_blue>x</c>"),
        ("<ruby>a<rt>b</rt></ruby>", "<ruby>a<rt>b</rt></ruby>"),
        ("<i>a<b>c</i>d", "<i>a<b>c</b></i>d"),
        ("a</i>b", "ab"),
        ('<font color="red">red</font>', "red"),
        ("{\\an8}above", "above"),
        ("<00:00:01.500>late", "late"),
        ("1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2"),
        ("Tom &amp; Jerry &lt;3", "Tom &amp; Jerry &lt;3"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("<i onclick=x>a</i>", "<i>a</i>"),
        ("a --> b", "a --&gt; b"),
        ("<v a-->b", "<v a>b</v>"),
        ("<c.-->b", "&lt;c.--&gt;b"),
        ("a&#10;&#10;b", "a\nb"),
        ("a\0\x1b[31mb\x85", "a[31mb"),
    ],
)
def test_only_spans_of_webvtt_come_through(text: str, shown: str) -> None:
    assert cue(text).text == shown


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("align:start line:90% position:10%,line-left", "align:start line:90% position:10%,line-left"),
        ("region:x align:start<b>", ""),
        ("line:-1 line:5", "line:5"),
    ],
)
def test_only_settings_that_place_a_cue_are_kept(given_: str, kept: str) -> None:
    (found,) = captions.read(f"WEBVTT\n\n00:01.000 --> 00:02.000 {given_}\nx".encode())
    assert found.settings == kept


def test_styles_comments_and_cues_without_sense_are_left_out() -> None:
    text = (
        "WEBVTT - title\n\nSTYLE\n::cue { background: url(x) }\n\nNOTE\nno cue\n\n"
        "00:05.000 --> 00:04.000\nbackwards\n\n00:06.000 --> 00:07.000\n\n"
        "late\n00:09.000 --> 00:10.000\nsecond\n\n00:01.000 --> 00:02.000\nfirst\n"
    )
    assert [found.text for found in captions.read(text.encode())] == ["first", "second"]


@pytest.mark.parametrize(
    "data", [b"", b"WEBVTT\n", b"no subtitles", b"\x00\x01\x02" * 100, b"\xff\xfe\x00"]
)
def test_what_has_no_cues_is_refused(data: bytes) -> None:
    with pytest.raises(SubtitlesInvalid):
        captions.read(data)


def test_too_much_is_refused() -> None:
    with pytest.raises(SubtitlesInvalid, match="1 MB"):
        captions.read(b" " * (captions.MAX_BYTES + 1))
    many = b"00:01.000 --> 00:02.000\nx\n\n" * (captions.CUES_MAX + 1)
    with pytest.raises(SubtitlesInvalid, match="cues"):
        captions.read(many)


@pytest.mark.parametrize(
    "text", ["<a ", " ", "<", "<i>", "<v ", "{\\", "&#", "0:", "00:01.000 --> ", "\n"]
)
def test_no_text_takes_long_to_read(text: str) -> None:
    whole = "00:01.000 --> 00:02.000\n" + text * (captions.MAX_BYTES // len(text) - 24)
    cut = "\n".join(whole[n : n + 60] for n in range(0, len(whole), 60))
    began = time.process_time()
    for body in (whole, cut):
        try:
            captions.read(body.encode()[: captions.MAX_BYTES])
        except SubtitlesInvalid:
            continue
    assert time.process_time() - began < 10  # seconds; what backtracks takes minutes


def test_cues_move_with_the_clock_and_stay_within_the_video() -> None:
    cues = [Cue(Fraction(n), Fraction(n + 2), str(n)) for n in (0, 5, 6, 12)]
    moved = captions.shift(cues, Fraction(-6), Fraction(7))
    assert [(c.text, c.start_s, c.end_s) for c in moved] == [("5", 0, 1), ("6", 0, 2), ("12", 6, 7)]


@given(st.text(st.sampled_from("<>/ibvc.&;-#1 \n\r{\\:0,\0é")) | st.text())
def test_any_text_gives_cues_that_are_well_formed(text: str) -> None:
    data = f"00:01.000 --> 00:02.000\nx {text}".encode("utf-8", "surrogatepass")
    written = captions.write(captions.read(data))
    assert captions.write(captions.read(written.encode())) == written
    for block in written.split("\n\n")[1:]:
        timing, *lines = block.strip("\n").split("\n")
        assert re.match(r"\d\d:\d\d:\d\d\.\d{3} --> ", timing)
        assert lines
        body = "\n".join(lines)
        assert "-->" not in body
        assert not re.search(r"[<>]", TAGS.sub("", body))
