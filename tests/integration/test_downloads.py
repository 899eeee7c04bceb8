"""Downloads of a real encode: files any program opens, with the samples of the segments alone."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from nextstream.domain import paths
from nextstream.ports import Platform
from tests import pipeline, sources
from tests.pipeline import ID
from web import create_app


@dataclass(frozen=True)
class House:
    """A ready video of 20.02 s, 29.97 fps, with sound; and where its files may be put."""

    platform: Platform
    client: FlaskClient
    folder: Path

    def file(self, name: str) -> Path:
        """Download a file once."""
        path = self.folder / name
        if not path.exists():
            answer = self.client.get(f"/v/{ID}/download/{name}")
            assert answer.status_code == 200, answer.text
            path.write_bytes(answer.data)
        return path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("downloads")
    source = sources.steady(folder / "source.mp4", seconds=20.02, rate="30000/1001")
    platform, _ = pipeline.transcode(source, folder / "media", title="Größe: 10/10")
    return House(platform, create_app(platform, "streaming").test_client(), folder)


def probe(path: Path, *words: str) -> dict[str, Any]:
    command = [sources.tools().ffprobe, "-loglevel", "warning", "-of", "json", *words, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def decoded(source: Path, kind: str, form: str) -> list[str]:
    out = sources.run("-i", source, "-map", f"0:{kind}", "-f", form, "-")
    return [line for line in out.splitlines() if not line.startswith("#")]


def boxes(data: bytes, at: int = 0) -> Iterator[tuple[bytes, int]]:
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at
        at += struct.unpack_from(">Q", data, at + 8)[0] if size == 1 else size
    assert at == len(data)


def test_the_tables_come_first_and_the_boxes_end_with_the_file(house: House) -> None:
    for name in ("v180.mp4", "v120.mp4", "a0.m4a"):
        kinds = [kind for kind, _ in boxes(house.file(name).read_bytes())]
        assert kinds == [b"ftyp", b"moov", b"mdat"]


def test_durations_are_those_of_the_plan_to_the_frame(house: House) -> None:
    found = probe(house.file("v180.mp4"), "-show_format", "-show_streams", "-count_packets")
    picture, sound = found["streams"]
    assert (picture["codec_name"], sound["codec_name"]) == ("h264", "aac")
    assert (picture["width"], picture["height"], picture["r_frame_rate"]) == (320, 180, "30000/1001")
    assert picture["nb_read_packets"] == picture["nb_frames"] == "600"
    assert Fraction(picture["duration_ts"]) * Fraction(picture["time_base"]) == Fraction(1001, 50)
    assert abs(float(sound["duration"]) - 20.02) < 0.001
    assert abs(float(found["format"]["duration"]) - 20.02) < 0.001
    assert picture["start_pts"] == sound["start_pts"] == 0


def test_every_frame_is_that_of_the_segments(house: House) -> None:
    tree = Path(house.platform.storage.locate(paths.tree(ID, 1), 0))
    streamed = decoded(tree / "v180" / paths.PLAYLIST, "v", "framemd5")
    saved = decoded(house.file("v180.mp4"), "v", "framemd5")
    assert len(saved) == 600
    assert [line.split(",")[-1] for line in saved] == [line.split(",")[-1] for line in streamed]
    assert [int(line.split(",")[2]) for line in saved] == list(range(600))


def test_sound_is_that_of_the_segments_up_to_the_end_of_the_picture(house: House) -> None:
    tree = Path(house.platform.storage.locate(paths.tree(ID, 1), 0))
    pcm = {}
    for name, source in {
        "streamed": tree / "a0" / paths.PLAYLIST,
        "beside": house.file("v180.mp4"),
        "alone": house.file("a0.m4a"),
    }.items():
        sources.run("-i", source, "-map", "0:a", "-f", "s16le", house.folder / "pcm")
        pcm[name] = (house.folder / "pcm").read_bytes()
    assert pcm["streamed"].startswith(pcm["beside"])
    assert pcm["streamed"].startswith(pcm["alone"])
    assert len(pcm["beside"]) // 4 == round(20.02 * 48000)


def test_tracks_lie_beside_each_other_so_that_playing_needs_no_jumps(house: House) -> None:
    found = probe(house.file("v180.mp4"), "-show_entries", "packet=stream_index,dts_time,pos")["packets"]
    packets = sorted(found, key=lambda packet: int(packet["pos"]))
    at = {0: 0.0, 1: 0.0}
    for packet in packets:
        at[packet["stream_index"]] = float(packet["dts_time"])
        assert abs(at[0] - at[1]) <= 2.2


def test_ranges_put_together_are_the_file(house: House) -> None:
    whole = house.file("v120.mp4").read_bytes()
    url, size, step = f"/v/{ID}/download/v120.mp4", len(whole), 34_567
    parts = []
    for first in range(0, size, step):
        answer = house.client.get(url, headers={"Range": f"bytes={first}-{first + step - 1}"})
        assert answer.status_code == 206
        assert answer.headers["Content-Range"].endswith(f"/{size}")
        parts.append(answer.data)
    assert b"".join(parts) == whole
    assert house.client.get(url, headers={"Range": f"bytes={size}-"}).status_code == 416


def test_head_and_a_known_file_cost_no_bytes(house: House) -> None:
    url = f"/v/{ID}/download/v180.mp4"
    whole, head = house.client.get(url), house.client.head(url)
    for name in ("Content-Length", "Content-Type", "ETag", "Content-Disposition", "Accept-Ranges"):
        assert head.headers[name] == whole.headers[name]
    assert (head.data, int(head.headers["Content-Length"])) == (b"", len(whole.data))
    known = house.client.get(url, headers={"If-None-Match": whole.headers["ETag"]})
    assert (known.status_code, known.data) == (304, b"")


def test_a_download_is_named_by_the_title_in_every_alphabet(house: House) -> None:
    head = house.client.head(f"/v/{ID}/download/v180.mp4").headers
    assert head["Content-Type"] == "video/mp4"
    assert head["Content-Disposition"] == (
        'attachment; filename="Groe_ 10_10 (180p).mp4"; '
        "filename*=UTF-8''Gr%C3%B6%C3%9Fe_%2010_10%20%28180p%29.mp4"
    )
    assert house.client.head(f"/v/{ID}/download/a0.m4a").headers["Content-Type"] == "audio/mp4"


@pytest.mark.parametrize("name", ["v720.mp4", "a0.mp4", "v180.m4a", "v180.mkv", "download.index"])
def test_there_are_no_other_downloads(house: House, name: str) -> None:
    assert house.client.get(f"/v/{ID}/download/{name}").status_code == 404
    assert house.client.get(f"/v/{ID}/v1/v180/{name}").status_code == 404


def test_an_operator_may_offer_none(house: House) -> None:
    settings = replace(house.platform.settings, downloads=False)
    client = create_app(replace(house.platform, settings=settings), "streaming").test_client()
    assert client.get(f"/v/{ID}/download/v180.mp4").status_code == 404


def test_moofs_are_read_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.file("v180.mp4")
    monkeypatch.setattr("nextstream.services.downloads._build", None)
    assert house.client.head(f"/v/{ID}/download/v180.mp4").status_code == 200
