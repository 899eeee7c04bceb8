"""Hostile files are refused in seconds: nothing leaks, nobody is called, with bubblewrap or without."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextstream.adapters import sandbox
from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.adapters.prober import WORDS_MAX, Prober
from nextstream.domain import acceptance, ladder, plan
from nextstream.domain.plan import Kind
from nextstream.errors import MediaError, UploadTooLarge
from nextstream.settings import Settings
from tests import hostile, sources

LIMITS = acceptance.Limits(2**30, 12 * 3600, 36_000_000, 1000, 600, 64)
OWN_CODES = {
    "ffconcat of a file": "source_refused",
    "SVG of a URL": "source_refused",
    "PNG of 16,000 x 15,000": "source_too_large",
    "PNG said to be 60,000 x 60,000": "source_too_large",
    "5,000 tracks": "source_too_many_streams",
}
LONGEST_S = 30  # on a loaded machine


@pytest.fixture(params=["bubblewrap", "alone"])
def walls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with what this machine has, and as where bubblewrap doesn't work."""
    if request.param == "alone":
        monkeypatch.setattr(sandbox, "obstacle", lambda _: "it is not installed")


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.mark.usefixtures("walls")
@pytest.mark.parametrize("name", hostile.FILES)
def test_a_hostile_file_gets_nothing(name: str, tmp_path: Path, server: socket.socket) -> None:
    source = tmp_path / "source"
    source.write_bytes(hostile.FILES[name](tmp_path, server.getsockname()[1]))
    other = hostile.victim(tmp_path)
    hostile.leave(other)
    begun = time.monotonic()
    if "referring" in name or "alias" in name:
        assert decoded_of_itself(source)
    else:
        with pytest.raises((MediaError, UploadTooLarge)) as refused:
            acceptance.check(FfmpegEncoder(Settings()).probe(str(source), source.stat().st_size), LIMITS)
        assert refused.value.code == OWN_CODES.get(name, refused.value.code)
    assert time.monotonic() - begun < LONGEST_S
    assert not hostile.was_read(other)
    with pytest.raises(BlockingIOError):  # nobody has called
        server.accept()


def decoded_of_itself(source: Path) -> bool:
    """Tell whether a film that refers to another file is read as if it didn't, or not at all."""
    encoder = FfmpegEncoder(Settings())
    try:
        found = encoder.probe(str(source), source.stat().st_size)
        assert found.video
        rungs = ladder.choose(found.video, (120,), plan.choose_rate(found.video.rate), 30)
        made = plan.make(found, rungs, (), "ultrafast", 12)
        for piece in (piece for piece in made.pieces if piece.kind is Kind.VIDEO):
            list(encoder.encode(str(source), made, piece, lambda _: None))
    except MediaError:
        return True
    return found.video.codec == "h264"


def test_a_read_of_anothers_file_would_be_seen(tmp_path: Path) -> None:
    other = hostile.victim(tmp_path)
    hostile.leave(other)
    other.read_bytes()
    assert hostile.was_read(other)


def test_of_a_source_that_is_all_errors_few_lines_are_kept() -> None:
    prober = Prober(sources.tools(), "some")
    words = prober._words(["/usr/bin/bash", "-c", "seq 1 20000 >&2"])
    assert len(words) == 2 * WORDS_MAX
    assert (words[0], words[-1]) == ("1", "20000")


def test_a_look_at_a_source_that_gives_errors_without_end_ends_soon() -> None:
    prober = Prober(sources.tools(), "some")
    began = time.monotonic()
    words = prober._words(["/usr/bin/bash", "-c", "yes 'no frame!' >&2"])
    assert len(words) == 2 * WORDS_MAX
    assert time.monotonic() - began < 20


def test_all_looks_at_a_source_have_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextstream.adapters.prober.LOOKS_S", 1)
    prober = Prober(sources.tools(), "some")
    began = time.monotonic()
    for _ in range(20):
        prober._words(["/usr/bin/bash", "-c", "sleep 30"])
    assert time.monotonic() - began < 10


def test_a_source_that_talks_as_ffmpeg_does_is_looked_at_like_any_other(tmp_path: Path) -> None:
    # A carriage return begins a part of the title that ffmpeg shows in the same line.
    title = "Input stream #0:0 1 packets read \r" * 450
    source = tmp_path / "source.mkv"
    sources.run(
        *("-f", "lavfi", "-i", "testsrc=s=64x64:d=1", "-c:v", "mjpeg", "-metadata", f"title={title}"),
        source,
    )
    began = time.monotonic()
    assert Prober(sources.tools(), str(source)).look(source.stat().st_size).video
    assert time.monotonic() - began < 3
