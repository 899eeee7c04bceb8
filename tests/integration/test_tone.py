"""HDR becomes SDR by measure: patches of known light, in brightness and in hue."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.adapters.toolchain import Toolchain
from nextstream.settings import Settings
from tests import patches, sources

GREYS = ("grey 5", "grey 26", "grey 100", "white 203", "white 1000")


@pytest.mark.parametrize("kind", patches.TRANSFERS)
def test_greys_stay_grey_and_are_as_bright_as_the_curve_says(kind: str, tmp_path: Path) -> None:
    made = patches.treat(patches.make(tmp_path / "film.mp4", kind, seconds=1))
    for name in GREYS:
        luma, cb, cr = made[name]
        assert abs(luma - patches.expected(patches.PATCHES[name])[0]) <= 2, name
        assert (cb, cr) == (128, 128), name


@pytest.mark.parametrize("kind", patches.TRANSFERS)
def test_colours_keep_their_hue(kind: str, tmp_path: Path) -> None:
    made = patches.treat(patches.make(tmp_path / "film.mp4", kind, seconds=1))
    for name in patches.PATCHES.keys() - set(GREYS):
        wanted = patches.expected(patches.PATCHES[name])
        assert abs(made[name][0] - wanted[0]) <= 2, name
        turn = abs(patches.hue(made[name]) - patches.hue(wanted)) % 360
        assert min(turn, 360 - turn) <= 2, name


@pytest.mark.parametrize("unsaid", ["colour_primaries=2", "matrix_coefficients=2"])
def test_hdr_that_says_only_its_curve_is_taken_for_bt2020(unsaid: str, tmp_path: Path) -> None:
    film, bare = patches.make(tmp_path / "film.mp4", "HDR10", seconds=1), tmp_path / "bare.ts"
    sources.run("-i", film, "-c", "copy", "-bsf:v", f"hevc_metadata={unsaid}", bare)
    assert abs(patches.treat(bare)["red"][0] - patches.expected(patches.PATCHES["red"])[0]) <= 2


@pytest.mark.parametrize(
    "kind", ["zscale=m=ictcp,format=yuv444p12", "scale=767:63,format=yuv420p10", "format=gray10"]
)
def test_hdr_of_every_kind_is_as_bright_as_the_curve_says(kind: str, tmp_path: Path) -> None:
    film, other = patches.make(tmp_path / "film.mp4", "HDR10", seconds=1), tmp_path / "other.mkv"
    grey = "extractplanes=y,setparams=color_primaries=bt2020:color_trc=smpte2084:range=tv"
    sources.run("-i", film, "-vf", grey if "gray" in kind else kind, "-c:v", "ffv1", other)
    made = patches.treat(other)
    for name in GREYS:
        assert abs(made[name][0] - patches.expected(patches.PATCHES[name])[0]) <= 2, name


def test_without_zscale_hdr_is_made_all_the_same_and_says_that_it_looks_pale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Toolchain, "can_map_tones", lambda _: False)
    film = patches.make(tmp_path / "film.mp4", "HDR10", seconds=1)
    found = FfmpegEncoder(Settings()).probe(str(film), film.stat().st_size)
    assert [each.code for each in found.warnings] == ["colors_approximate"]
    assert len(patches.treat(film)) == len(patches.PATCHES)
