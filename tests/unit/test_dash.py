"""The DASH manifest: its text, its timelines, and what may stand in it."""

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.domain import dash, hls, paths
from nextstream.domain.source import Purpose
from nextstream.domain.video import Rendition
from tests.unit.tracks import NTSC, ladder, rung, subtitles, voice

GOLDEN = Path(__file__).parent / "golden"
NS = {"": dash.NAMESPACE}


def parse(*renditions: Rendition, rate: Fraction = NTSC, prefix: str = "") -> ET.Element:
    text = dash.manifest(renditions, rate, renditions[0].duration_s, prefix)
    return ET.fromstring(text.encode())


def timeline(representation: ET.Element) -> list[int]:
    """Spell a SegmentTimeline out, as a player does: the ticks of each segment."""
    entries = representation.findall(".//S", NS)
    assert [entry.get("t") for entry in entries] == ["0"] + [None] * (len(entries) - 1)
    return [int(e.get("d", 0)) for e in entries for _ in range(int(e.get("r", 0)) + 1)]


def test_the_manifest_is_what_was_reviewed() -> None:
    text = dash.manifest(ladder(), NTSC, 300 / NTSC, "v1/")
    assert text == (GOLDEN / "manifest.mpd").read_text()


@pytest.mark.parametrize(
    ("frames", "least_s"), [(300, "PT6.006S"), (75, "PT2.5025S"), (15, "PT0.5005S")]
)
def test_playing_begins_no_sooner_than_the_longest_segment_is_there(frames: int, least_s: str) -> None:
    # 5.3.5.2: at its bandwidth a segment comes within minBufferTime, and so before it is shown.
    assert parse(rung(frames=frames)).get("minBufferTime") == least_s


@given(st.integers(1, 3000), st.sampled_from([Fraction(24), NTSC, Fraction(60000, 1001)]))
def test_timelines_list_each_segment_exactly(frames: int, rate: Fraction) -> None:
    picture, sound = rung(frames=frames, rate=rate), voice(seconds=frames / rate)
    found = parse(picture, sound, rate=rate).findall(".//Representation", NS)
    assert [timeline(r) for r in found] == [[s.ticks for s in t.segments] for t in (picture, sound)]


def test_equal_segments_take_one_entry() -> None:
    [picture] = parse(rung(frames=180 * 1000)).findall(".//Representation", NS)
    assert len(picture.findall(".//S", NS)) == 1


def test_template_gives_the_names_that_segments_are_stored_under() -> None:
    [track] = parse(rung(), prefix="v1/").findall(".//Representation", NS)
    template = track.find("SegmentTemplate", NS)
    assert template is not None
    names = [
        template.get(key, "").replace("$RepresentationID$", track.get("id", ""))
        for key in ("initialization", "media")
    ]
    assert names[0] == f"v1/v720/{paths.INIT}"
    for number in (1, 2, 99_999, 100_000):
        assert (
            names[1].replace("$Number%05d$", f"{number:05d}") == f"v1/v720/{paths.segment_name(number)}"
        )
    assert template.get("startNumber") == "1"


def test_a_dollar_in_the_prefix_is_no_template() -> None:
    [track] = parse(rung(), prefix="a$b/").findall(".//SegmentTemplate", NS)
    assert track.get("media") == "a$$b/$RepresentationID$/$Number%05d$.m4s"


def test_bandwidth_is_the_measured_peak() -> None:
    found = parse(*ladder()).findall(".//Representation", NS)
    assert {r.get("id"): r.get("bandwidth") for r in found} == {
        track.name: str(hls.bandwidth(track, 6).peak_bps) for track in ladder()
    }


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (Fraction(10), "PT10S"),
        (780 / NTSC, "PT26.026S"),
        (1 / Fraction(60000, 1001), "PT0.016684S"),
        (Fraction(86400 * 3), "PT259200S"),
    ],
)
def test_the_duration_is_exact_and_never_cuts_the_last_frame(seconds: Fraction, written: str) -> None:
    found = ET.fromstring(dash.manifest([voice()], NTSC, seconds).encode()).get(
        "mediaPresentationDuration"
    )
    assert found == written
    assert 0 <= Fraction(written[2:-1]) - seconds < Fraction(1, 1_000_000)


def test_rungs_of_one_codec_share_a_set_and_each_audio_track_has_its_own() -> None:
    hevc = rung("h720", codec="hvc1.1.6.L93.B0")
    sets = parse(
        hevc, *ladder(), rung("h360", 360, codec="hvc1.1.6.L63.B0"), voice("a2", channels=6)
    ).findall(".//AdaptationSet", NS)
    members = [[r.get("id") for r in s.findall("Representation", NS)] for s in sets]
    assert members == [["v1080", "v720", "v360"], ["h720", "h360"], ["a0"], ["a1"], ["a2"]]
    assert len({s.get("id") for s in sets}) == len(sets)
    assert [s.get("lang") for s in sets] == [None, None, "en", "de", "en"]
    layouts = [s.find("AudioChannelConfiguration", NS) for s in sets[2:]]
    assert [layout.get("value") for layout in layouts if layout is not None] == ["2", "2", "6"]
    roles = [s.find("Role", NS) for s in sets[2:]]
    assert [role.get("value") for role in roles if role is not None] == [
        "main",
        "alternate",
        "alternate",
    ]


def test_sound_alone_and_silence_are_manifests_too() -> None:
    assert [s.get("contentType") for s in parse(voice()).iter(f"{{{dash.NAMESPACE}}}AdaptationSet")] == [
        "audio"
    ]
    assert [s.get("contentType") for s in parse(rung()).iter(f"{{{dash.NAMESPACE}}}AdaptationSet")] == [
        "video"
    ]


def test_the_frame_rate_is_a_ratio_where_it_is_no_whole_number() -> None:
    assert parse(rung()).find(".//Representation", NS).get("frameRate") == "30000/1001"
    assert (
        parse(rung(rate=Fraction(24)), rate=Fraction(24)).find(".//Representation", NS).get("frameRate")
        == "24"
    )


@given(st.text(), st.text())
def test_any_title_and_language_leave_the_xml_whole(title: str, language: str) -> None:
    root = parse(rung(), voice(title=title, language=language))
    assert len(root.findall(".//Representation", NS)) == 2
    assert root.find(".//Label", NS).text


def test_subtitles_are_one_file_with_language_name_and_role() -> None:
    texts = [
        subtitles("t0"),
        subtitles("t1", purpose=Purpose.CAPTIONS),
        subtitles("t2", language="fra", purpose=Purpose.FORCED, title="Signs & more"),
    ]
    found = [
        each
        for each in parse(rung(), *texts, prefix="v1/").findall(".//AdaptationSet", NS)
        if each.get("contentType") == "text"
    ]
    assert [(s.get("lang"), s.findtext("Label", None, NS)) for s in found] == [
        ("en", "English"),
        ("en", "English (SDH)"),
        ("fr", "Signs & more"),
    ]
    roles = [role.get("value") for each in found for role in each.findall("Role", NS)]
    assert roles == ["subtitle", "caption", "forced-subtitle"]
    assert {each.get("mimeType") for each in found} == {"text/vtt"}
    assert [each.findtext("Representation/BaseURL", None, NS) for each in found] == [
        f"v1/t{n}/text.vtt" for n in range(3)
    ]


def test_surround_sound_has_the_name_and_role_of_its_track() -> None:
    voices = [
        voice("a0", language="fra"),
        voice("a1", is_default=True, title="Film"),
        voice("a1-surround", channels=6, is_default=True, title="Film", twin="a1"),
    ]
    found = parse(rung(), *voices).findall(".//AdaptationSet[@contentType='audio']", NS)
    assert [each.findtext("Label", None, NS) for each in found] == ["French", "Film", "Film"]
    roles = [role.get("value") for each in found for role in each.findall("Role", NS)]
    assert roles == ["alternate", "main", "alternate"]


def test_h264_comes_before_newer_codecs() -> None:
    newer = [rung("v720-av1", codec="av01.0.05M.08"), rung("v720-hevc", codec="hvc1.1.6.L93.90")]
    found = parse(*newer, rung()).findall(".//Representation", NS)
    assert [each.get("id") for each in found] == ["v720", "v720-hevc", "v720-av1"]
