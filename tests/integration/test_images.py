"""Tiles, posters and thumbnails of a real encode show the very frames they say."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.domain import paths
from nextstream.domain.video import Video
from nextstream.errors import EncoderBusy
from nextstream.ports import Platform
from nextstream.services import images
from tests import pipeline, sources
from tests.pipeline import ID

RATE = 25


@dataclass(frozen=True)
class Film:
    """An encoded film whose every frame is a grey of its own, and red on the right."""

    platform: Platform
    video: Video
    scratch: Path

    def grey(self, picture: bytes, form: str = "jpg") -> int:
        """Give the grey of a picture's left half, 0 to 255."""
        red, green, blue = self.colour(picture, "iw/4:ih/2:iw/8:ih/4", form)
        assert max(red, green, blue) - min(red, green, blue) <= 3
        return green

    def colour(self, picture: bytes, crop: str, form: str = "jpg") -> tuple[int, int, int]:
        """Give the mean colour of a part of a picture, as a viewer of the file sees it."""
        file, raw = self.scratch / f"p.{form}", self.scratch / "rgb"
        file.write_bytes(picture)
        mean = f"crop={crop},scale=1:1:flags=area,format=rgb24"
        sources.run("-i", file, "-vf", mean, "-f", "rawvideo", raw)
        red, green, blue = raw.read_bytes()
        return red, green, blue


def grey_of(frame: int) -> int:
    """Give the grey that frame has in the source, in full range: a step of 7 from each to the next."""
    return 20 + frame * 7 % 210


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    folder = tmp_path_factory.mktemp("film")
    source = folder / "greys.mp4"
    grey, parts = "20+mod(N*7,210)", {"r": 200, "g": 0, "b": 0}
    greys = "geq=" + ":".join(f"{c}='if(lt(X,W/2),{grey},{right})'" for c, right in parts.items())
    sources.run(
        *("-f", "lavfi", "-i", f"color=size=320x180:rate={RATE}:duration=21,format=gbrp,{greys}"),
        *("-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "1", "-g", "60", "-bf", "2", source),
    )
    platform, video = pipeline.transcode(source, folder / "media")
    return Film(platform, video, folder)


def make(film: Film, time_s: float, width: int = 160, form: str = "jpg") -> bytes:
    return images.make(film.platform, images.find(film.platform, ID, time_s, width), form)


@pytest.mark.parametrize(
    ("frame", "form"),
    [(n, "jpg") for n in (0, 1, 2, 49, 50, 51, 149, 150, 151, 299, 450, 523, 524)] + [(77, "webp")],
)
def test_a_thumbnail_shows_its_frame_and_no_neighbour(film: Film, frame: int, form: str) -> None:
    shown = film.grey(make(film, (frame + 0.5) / RATE, form=form), form)
    assert abs(shown - grey_of(frame)) <= 3


def test_every_tile_of_the_storyboard_shows_the_frame_its_cue_begins_with(film: Film) -> None:
    storage, root = film.platform.storage, paths.root(ID)
    text = storage.read(f"{root}/{paths.STORYBOARD}").decode()
    cues = re.findall(r"00:00:([\d.]+) --> \S+\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)", text)
    described = json.loads(storage.read(f"{root}/{paths.STORYBOARD_JSON}"))
    assert len(cues) == described["tiles"] == 11
    for begin, uri, x, y, width, height in cues:
        sheet = storage.read(f"{root}/{uri}")
        shown = film.colour(sheet, f"{width}/4:{height}/2:{x}+{width}/8:{y}+{height}/4")[1]
        assert abs(shown - grey_of(round(float(begin) * RATE))) <= 3, begin


def test_colours_are_those_of_the_source_in_pictures_of_every_kind(film: Film) -> None:
    storage, right = film.platform.storage, "iw/4:ih/2:iw*5/8:ih/4"
    pictures = {
        "poster": (storage.read(f"{paths.root(ID)}/{paths.POSTER}"), right, "jpg"),
        "thumbnail": (make(film, 1.0), right, "jpg"),
        "webp": (make(film, 1.0, form="webp"), right, "webp"),
        "tile": (storage.read(paths.thumbs(ID, 1, "00000.jpg")), "40:45:100:20", "jpg"),
    }
    for kind, (picture, crop, form) in pictures.items():
        red, green, blue = film.colour(picture, crop, form)
        assert abs(red - 200) <= 6, kind
        assert max(green, blue) <= 8, kind


def test_only_few_pictures_are_decoded_at_once(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextstream.adapters.encoder.PICTURE_WAIT_S", 0.1)
    encoder = FfmpegEncoder(replace(pipeline.SMALL, thumbnails_at_once=1))
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with encoder._one_of_few():
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(60)
        with pytest.raises(EncoderBusy):
            encoder.picture(b"", 0, 16, 9, "jpg")
    finally:
        release.set()
        thread.join()


def test_a_picture_is_quick(film: Film) -> None:
    make(film, 1.0)
    begun = time.monotonic()
    make(film, 5.9)
    assert time.monotonic() - begun < 20  # of a loaded machine; a tenth of a second alone
