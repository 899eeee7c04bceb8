"""`nextstream transcode FILE` for real: a playable folder, or one sentence and nothing left."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import m3u8
import psutil
import pytest

from tests import sources
from tests.workers import ROOT, descendants, wait_until

SMALL = {"NEXTSTREAM_HEIGHTS": "180,90", "NEXTSTREAM_PRESET": "ultrafast"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sources.steady(tmp_path_factory.mktemp("source") / "steady.mp4", seconds=14)


def start(folder: Path, *words: str | Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nextstream", "transcode", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **SMALL, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def run(folder: Path, *words: str | Path, **env: str) -> tuple[int, str, str]:
    process = start(folder, *words, **env)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def check_tree(folder: Path) -> None:
    """See that the playlists name what is there, and all of it."""
    named = {"master.m3u8", "manifest.mpd"}
    master = m3u8.load(str(folder / "master.m3u8"))
    listed = [*master.playlists, *master.iframe_playlists, *master.media]
    for uri in {entry.uri for entry in listed}:
        media = m3u8.load(str(folder / uri))
        files = {
            uri.rpartition("/")[0] + "/" + file for file in (*media.files, media.segment_map[0].uri)
        }
        named |= {uri, *files}
    named |= {f"thumbs/{name}" for name in ("poster.jpg", "storyboard.vtt", "storyboard.json")}
    listed_tiles = (folder / "thumbs" / "storyboard.vtt").read_text().splitlines()
    named |= {f"thumbs/{line.partition('#')[0]}" for line in listed_tiles if "#xywh=" in line}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == named


def test_a_file_becomes_a_playable_folder_beside_where_one_stands(tmp_path: Path, source: Path) -> None:
    before = source.read_bytes()
    code, out, err = run(tmp_path, source)
    assert (code, err) == (0, "")
    assert out == "steady-hls/master.m3u8\n"
    assert names(tmp_path) == {"steady-hls"}
    assert {p.stream_info.resolution for p in m3u8.load(str(tmp_path / out.strip())).playlists} == {
        (320, 180),
        (160, 90),
    }
    check_tree(tmp_path / "steady-hls")
    assert source.read_bytes() == before


def test_the_folder_can_be_chosen_and_made(tmp_path: Path, source: Path) -> None:
    code, out, _ = run(tmp_path, source, "--out", tmp_path / "a" / "b")
    assert (code, out) == (0, f"{tmp_path}/a/b/master.m3u8\n")
    check_tree(tmp_path / "a" / "b")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, source: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    code, out, err = run(tmp_path, source, "--out", "out")
    assert (code, out) == (2, "")
    assert "--out" in err
    assert names(tmp_path / "out") == {"mine"}


def test_a_file_that_is_no_video_is_one_sentence_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("This is no video.")
    code, out, err = run(tmp_path, "text.mp4")
    assert (code, out) == (2, "")
    assert "video" in err
    assert "Traceback" not in err
    assert names(tmp_path) == {"text.mp4"}


def test_an_ffmpeg_that_cannot_do_it_is_one_sentence_and_nothing_is_left(
    tmp_path: Path, source: Path
) -> None:
    code, out, err = run(tmp_path, str(source), NEXTSTREAM_FFMPEG="/bin/true")
    assert (code, out) == (2, "")
    assert "name one with NEXTSTREAM_FFMPEG" in " ".join(err.split())
    assert "Traceback" not in err
    assert names(tmp_path) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_ffmpeg_and_leaves_nothing(
    tmp_path: Path, source: Path, number: signal.Signals
) -> None:
    slow = {"NEXTSTREAM_PRESET": "placebo", "NEXTSTREAM_HEIGHTS": "180,170,160,150"}
    process = start(tmp_path, source, **slow)
    try:
        parent = psutil.Process(process.pid)
        wait_until(lambda: bool(descendants(process.pid, "-progress")), 30)
        family = parent.children(recursive=True)
        process.send_signal(number)
        assert process.wait(20) == 130
        _, left = psutil.wait_procs(family, timeout=5)
        assert left == []
    finally:
        process.kill()
        out, err = process.communicate()
    assert (out, err) == ("", "Interrupted.\n")
    assert names(tmp_path) == set()
