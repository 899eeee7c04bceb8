"""Lists of one folder, lifted to the one above, are those that we write there."""

import pytest

from nextstream.domain import dash, hls, leading, storyboard
from nextstream.domain.video import Rendition
from tests.unit.test_storyboard import make
from tests.unit.tracks import NTSC, ladder, subtitles

RENDITIONS = (*ladder(), subtitles(title="URI='x', <BaseURL>"))


@pytest.mark.parametrize("renditions", [RENDITIONS, RENDITIONS[-2:-1]])
def test_a_master_is_lifted(renditions: tuple[Rendition, ...]) -> None:
    lifted = leading.lift("master.m3u8", hls.master(renditions, NTSC), "v1/")
    assert lifted == hls.master(renditions, NTSC, "v1/")


def test_a_manifest_is_lifted() -> None:
    duration_s = 300 / NTSC
    lifted = leading.lift("manifest.mpd", dash.manifest(RENDITIONS, NTSC, duration_s), "v1/")
    assert lifted == dash.manifest(RENDITIONS, NTSC, duration_s, "v1/")


@pytest.mark.parametrize(
    ("name", "write"),
    [("storyboard.vtt", storyboard.webvtt), ("storyboard.json", storyboard.describe)],
)
def test_a_storyboard_is_lifted(name: str, write: object) -> None:
    assert callable(write)
    plan = make(21.5)
    assert leading.lift(name, write(plan), "v1/thumbs/") == write(plan, "v1/thumbs/")
