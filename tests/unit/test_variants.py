"""What a client is offered by size, codec and rate, the same by HLS and DASH."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from nextstream.domain import dash, hls, variants
from nextstream.domain.dash_filtering import filter_manifest
from nextstream.domain.variants import Wanted
from nextstream.domain.video import Rendition, Segment
from nextstream.errors import NoVariant

RATES = {"v1080": 5000, "v720": 3000, "v720-low": 2000, "v360": 800}  # kbit/s
CODECS = {"": "avc1.64001f", "hevc-": "hvc1.1.6.L120.90", "av1-": "av01.0.08M.08"}


def rung(name: str, codec: str, kbps: int) -> Rendition:
    height = int(name.rpartition("v")[2].partition("-")[0])
    segment = Segment(1, 6000, kbps * 1000 * 6 // 8)
    return Rendition(name, codec, 1000, "", (segment,), 2000, height * 16 // 9, height)


SOUND = Rendition("a0", "mp4a.40.2", 1000, "", (Segment(1, 6000, 96_000),), channels=2)  # 128 kbit/s
RUNGS = [
    rung(f"{prefix}{name}", codec, kbps)
    for prefix, codec in CODECS.items()
    for name, kbps in RATES.items()
]
MASTER = hls.master([*RUNGS, SOUND], Fraction(24))
MANIFEST = dash.manifest([*RUNGS, SOUND], Fraction(24), Fraction(6))


def by_hls(**wanted: Any) -> set[str]:
    lines = hls.filter_master(MASTER, Wanted(**wanted)).splitlines()
    return {line.partition("/")[0] for line in lines if line.endswith("index.m3u8")}


def by_dash(**wanted: Any) -> set[str]:
    mpd = dash.read(filter_manifest(MANIFEST, Wanted(**wanted)))
    found = {str(each.get("id")) for each in mpd.iter("Representation")}
    assert "a0" in found
    assert all(len(each) for each in mpd.iter("AdaptationSet"))
    return found - {"a0"}


def of(*families: str) -> frozenset[str]:
    return frozenset(families)


@pytest.mark.parametrize("ask", [by_hls, by_dash])
@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"families": of("avc1"), "max_height": 720}, {"v720", "v720-low", "v360"}),
        ({"families": of("hvc1"), "min_height": 800}, {"hevc-v1080"}),
        ({"families": of("avc1"), "max_rate_bps": 2_200_000}, {"v720-low", "v360"}),
        ({"families": of("avc1"), "max_rate_bps": 2_100_000}, {"v360"}),  # the sound takes its part
        ({"families": of("avc1"), "max_rate_bps": 1}, {"v360"}),
        ({"families": of("avc1", "av01"), "max_height": 100}, {"v360", "av1-v360"}),
    ],
)
def test_bounds_leave_what_fits_or_what_is_nearest(
    ask: Any, wanted: dict[str, Any], left: set[str]
) -> None:
    assert ask(**wanted) == left


@pytest.mark.parametrize("ask", [by_hls, by_dash])
def test_a_codec_that_a_video_lacks_is_told_with_those_it_has(ask: Any) -> None:
    with pytest.raises(NoVariant, match=r"it has av01, avc1, hvc1\."):
        ask(families=of("vp09"))


def test_keyframes_stay_with_the_pictures_of_their_size_and_codec() -> None:
    text = hls.filter_master(MASTER, Wanted(families=of("hvc1"), max_height=720))
    named = [line for line in text.splitlines() if "iframes.m3u8" in line]
    assert len(named) == 3
    assert all("hevc-v" in line for line in named)


def test_a_manifest_that_loses_nothing_is_the_same_to_the_byte() -> None:
    assert filter_manifest(MANIFEST, Wanted(max_height=9999)) == MANIFEST


@pytest.mark.parametrize(
    ("words", "families"),
    [
        ("avc1", {"avc1"}),
        ("h264, HEVC", {"avc1", "hvc1"}),
        ("hev1.1.6.L93.B0,av01.0.04M.08,mp4a.40.2", {"hvc1", "av01"}),
    ],
)
def test_codecs_have_the_names_that_people_and_browsers_use(words: str, families: set[str]) -> None:
    assert variants.read_families(words) == families


@pytest.mark.parametrize("words", ["", "vp9", "avc1,theora", "mp4a", ","])
def test_codecs_that_we_never_make_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="must be of h264"):
        variants.read_families(words)
