"""What every encoder keeps to, on real and in-memory adapters alike."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.adapters.encoder_memory import CLIP, MemoryEncoder
from nextstream.domain import captions, fmp4, ladder, plan, storyboard
from nextstream.domain.plan import Kind, Plan
from nextstream.domain.source import AudioTrack, TextTrack
from nextstream.errors import ClaimLost, EncoderFailed
from nextstream.ports import Encoder
from nextstream.settings import CODECS, Settings
from tests import sources
from tests.conftest import do_without

Bench = tuple[Encoder, str, Plan]


@pytest.fixture(params=["memory", "ffmpeg"], scope="module")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    encoder: Encoder = MemoryEncoder()
    source = "nothing"
    if request.param == "ffmpeg":
        folder = tmp_path_factory.mktemp("encoder")
        encoder = FfmpegEncoder(Settings())
        source = str(sources.steady(folder / "steady.mp4", seconds=20))
    found = encoder.probe(source, 1234)
    assert found.video
    rungs = ladder.choose(found.video, (180, 120), plan.choose_rate(found.video.rate), 30)
    return encoder, source, plan.make(found, rungs, ladder.voices(found.audio), "ultrafast", 12)


@pytest.fixture(params=["memory", "ffmpeg"], scope="module")
def whole_bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Give an encoder with a source that has all: every codec, surround sound, subtitles."""
    texts = (TextTrack(3, "subrip", "eng"), TextTrack(4, "ass", "fre"), TextTrack(5, "webvtt", "ger"))
    sound = (AudioTrack(1, "aac", 6, 48000, "eng"),)
    encoder: Encoder = MemoryEncoder(replace(CLIP, texts=texts, audio=sound))
    source = "nothing"
    if request.param == "ffmpeg":
        encoder = FfmpegEncoder(Settings())
        if lacking := sources.tools().unable(CODECS):
            do_without(f"ffmpeg lacks {lacking}")
        source = str(sources.rich(tmp_path_factory.mktemp("encoder") / "rich.mkv", seconds=13))
    found = encoder.probe(source, 1234)
    assert found.video
    codecs = [replace(codec, preset=FAST.get(codec.name, "")) for codec in ladder.CODECS]
    rungs = ladder.choose(found.video, (120,), plan.choose_rate(found.video.rate), 30, 1, codecs)
    rungs = tuple(rung for rung in rungs if rung.height == 120)
    return encoder, source, plan.make(found, rungs, ladder.voices(found.audio), "ultrafast", 12)


FAST = {"hevc": "ultrafast", "av1": "12"}


def ignore(_: int) -> None:
    pass


def test_a_chunk_has_exactly_its_frames_in_every_rung(bench: Bench) -> None:
    encoder, source, made = bench
    for piece in (p for p in made.pieces if p.kind is Kind.VIDEO):
        encoded = list(encoder.encode(source, made, piece, ignore))
        assert [one.name for one in encoded] == list(piece.rungs)
        assert [len(fmp4.read(one.data).samples) for one in encoded] == [piece.frames] * len(encoded)


def test_no_preset_needs_a_higher_level_than_the_picture_does(bench: Bench) -> None:
    encoder, source, made = bench
    slow = replace(made, preset="veryslow", frames=24)
    piece = replace(next(p for p in made.pieces if p.kind is Kind.VIDEO), frames=24)
    [first, *_] = encoder.encode(source, slow, piece, ignore)
    if source != "nothing":
        assert fmp4.read(first.data).codec == "avc1.64000c"  # High at 1.2: 240 blocks, four of them kept


def test_chunks_of_a_rung_have_the_same_init_segment_to_the_byte(bench: Bench) -> None:
    encoder, source, made = bench
    inits: dict[str, set[bytes]] = {}
    for piece in (p for p in made.pieces if p.kind is Kind.VIDEO):
        for one in encoder.encode(source, made, piece, ignore):
            inits.setdefault(one.name, set()).add(fmp4.read(one.data).init)
    assert {name: len(found) for name, found in inits.items()} == dict.fromkeys(inits, 1)


def test_keyframes_are_on_the_grid_and_nowhere_else(bench: Bench) -> None:
    encoder, source, made = bench
    for one in encoder.encode(source, made, made.pieces[0], ignore):
        track = fmp4.read(one.data)
        assert track.timescale == made.timescale
        found = [n for n, sample in enumerate(track.samples) if sample.is_sync]
        assert found == list(range(0, made.pieces[0].frames, made.gop_frames))


def test_encoding_twice_gives_the_same_bytes(bench: Bench) -> None:
    encoder, source, made = bench
    first, again = (list(encoder.encode(source, made, made.pieces[0], ignore)) for _ in range(2))
    assert first == again


def test_a_sheet_of_the_storyboard_comes_last_and_changes_nothing_else(bench: Bench) -> None:
    encoder, source, made = bench
    tiled = replace(made, tile_frames=storyboard.step_frames(made.frames, made.gop_frames))
    seen: list[int] = []
    *rungs, sheet = encoder.encode(source, tiled, made.pieces[0], seen.append)
    assert rungs == list(encoder.encode(source, made, made.pieces[0], ignore))
    assert (sheet.name, sheet.data[:3]) == (storyboard.NAME, b"\xff\xd8\xff")
    assert seen[-1] == made.pieces[0].frames


def test_a_picture_can_be_made_of_any_frame_there_is_and_no_other(bench: Bench) -> None:
    encoder, source, made = bench
    one = list(encoder.encode(source, made, made.pieces[0], ignore))[-1]
    last = made.pieces[0].frames - 1
    pictures = {n: encoder.picture(one.data, n, 64, 36, "jpg") for n in (0, 1, last)}
    assert len({bytes(p) for p in pictures.values()}) == 3
    assert all(p.startswith(b"\xff\xd8\xff") for p in pictures.values())
    assert encoder.picture(one.data, 1, 64, 36, "jpg") == pictures[1]
    assert encoder.picture(one.data, 1, 64, 36, "webp")[8:12] == b"WEBP"
    with pytest.raises(EncoderFailed):
        encoder.picture(one.data, last + 1, 64, 36, "jpg")


def test_sound_lasts_as_long_as_the_picture(bench: Bench) -> None:
    encoder, source, made = bench
    track = fmp4.read(b"".join(encoder.encode_audio(source, made, made.voices[0])))
    heard = sum(sample.ticks for sample in track.samples) - 1024  # the encoder's priming
    assert track.codec == "mp4a.40.2"
    assert abs(heard / track.timescale - float(made.duration_s)) < 2 * 1024 / 48000


def test_progress_counts_up_to_the_frames_of_the_piece(bench: Bench) -> None:
    encoder, source, made = bench
    seen: list[int] = []
    list(encoder.encode(source, made, made.pieces[0], seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == made.pieces[0].frames


def test_an_error_in_the_report_stops_the_encode(bench: Bench) -> None:
    encoder, source, made = bench

    def lose(_: int) -> None:
        raise ClaimLost

    with pytest.raises(ClaimLost):
        list(encoder.encode(source, made, made.pieces[0], lose))


def test_sound_comes_while_it_is_made(bench: Bench) -> None:
    encoder, source, made = bench
    with closing(encoder.encode_audio(source, made, made.voices[0])) as blocks:
        fragments = fmp4.read_fragments(blocks)
        track, _ = next(fragments)
        assert track.timescale == 48000
        heard = sum(sample.ticks for sample in track.samples) / track.timescale
        assert 1 < heard < 3  # of 20 seconds


def test_every_codec_has_the_frames_and_keyframes_of_the_grid_and_one_init_segment(
    whole_bench: Bench,
) -> None:
    encoder, source, made = whole_bench
    inits: dict[str, set[bytes]] = {}
    for piece in (p for p in made.pieces if p.kind is Kind.VIDEO):
        for one in encoder.encode(source, made, piece, ignore):
            track = fmp4.read(one.data)
            assert len(track.samples) == piece.frames
            found = [n for n, sample in enumerate(track.samples) if sample.is_sync]
            assert found == list(range(0, piece.frames, made.gop_frames))
            assert track.timescale == made.timescale
            inits.setdefault(one.name, set()).add(track.init)
    assert {name: len(found) for name, found in inits.items()} == dict.fromkeys(
        ("v120", "v120-hevc", "v120-av1"), 1
    )


def test_every_codec_gives_the_same_bytes_each_time(whole_bench: Bench) -> None:
    encoder, source, made = whole_bench
    first, again = (list(encoder.encode(source, made, made.pieces[0], ignore)) for _ in range(2))
    assert first == again


def test_surround_sound_lasts_as_long_as_its_stereo(whole_bench: Bench) -> None:
    encoder, source, made = whole_bench
    stereo, surround = made.voices[0], made.voices[-1]
    assert (surround.channels, surround.twin) == (6, stereo.name)
    both = [b"".join(encoder.encode_audio(source, made, voice)) for voice in (stereo, surround)]
    assert len({len(fmp4.read(data).samples) for data in both}) == 1


def test_all_subtitles_come_out_in_one_go_as_webvtt(whole_bench: Bench) -> None:
    encoder, source, made = whole_bench
    found = {one.name: captions.read(one.data) for one in encoder.extract_texts(source, made, ignore)}
    assert list(found) == ["t0", "t1", "t2"]
    assert [cues[0].start_s for cues in found.values()] == [1, 1, 1]
