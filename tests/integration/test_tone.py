"""HDR becomes SDR by measure: patches of known light, in brightness and in hue."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.adapters.toolchain import Toolchain
from nextstream.settings import Settings
from tests import patches

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


def test_without_zscale_hdr_is_made_all_the_same_and_says_that_it_looks_pale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Toolchain, "can_map_tones", lambda _: False)
    film = patches.make(tmp_path / "film.mp4", "HDR10", seconds=1)
    found = FfmpegEncoder(Settings()).probe(str(film), film.stat().st_size)
    assert [each.code for each in found.warnings] == ["colors_approximate"]
    assert len(patches.treat(film)) == len(patches.PATCHES)
