from dataclasses import replace
from fractions import Fraction

import pytest

from nextstream.adapters.encoder_memory import CLIP
from nextstream.domain import hls, ladder, plan, published
from nextstream.domain.plan import Kind
from nextstream.domain.video import Rendition, Segment
from tests.unit import tracks

RATE = Fraction(24)
assert CLIP.video
RUNGS = ladder.choose(CLIP.video, (720, 360), RATE, 23)
PLAN = plan.make(CLIP, RUNGS, ladder.voices(CLIP.audio), "veryfast", 6, slots=4)
CHUNKS = [piece.name for piece in PLAN.pieces if piece.kind is Kind.VIDEO]  # 4 segments, 2 rungs
SOUND = "audio-a0"


def test_nothing_is_published_before_every_rendition_has_its_first_segment() -> None:
    assert CHUNKS[:2] == ["video-00000-v720", "video-00000-v360"]
    assert published.prefix(PLAN, set(CHUNKS), {}) == 0
    assert published.prefix(PLAN, {*CHUNKS} - {"video-00000-v360"}, {"a0": 4}) == 0
    assert published.prefix(PLAN, set(CHUNKS[:2]), {"a0": 1}) == 1


@pytest.mark.parametrize("missing", range(2, 5))
def test_what_lies_behind_a_gap_is_not_published(missing: int) -> None:
    done = {name for n, name in enumerate(CHUNKS) if n != missing}
    assert published.prefix(PLAN, done, {"a0": 4}) == missing - 1


def test_sound_holds_back_the_picture_until_its_piece_is_done() -> None:
    assert published.prefix(PLAN, set(CHUNKS), {"a0": 3}) == 3
    assert published.prefix(PLAN, {*CHUNKS, SOUND}, {"a0": 3}) == PLAN.segments == 4


def test_watching_does_not_wait_for_surround_sound_which_comes_with_the_end() -> None:
    surround = replace(CLIP, audio=(replace(CLIP.audio[0], channels=6),))
    made = plan.make(surround, RUNGS, ladder.voices(surround.audio), "veryfast", 6, slots=4)
    assert [voice.name for voice in made.voices] == ["a0", "a0-surround"]
    assert published.prefix(made, set(CHUNKS[:2]), {"a0": 1}) == 1
    heads = [replace(tracks.voice(), name=voice.name) for voice in made.voices]
    assert [each.name for each in published.begin(made, heads, 1)] == ["a0"]


def test_sound_alone_is_published_by_its_own_segments() -> None:
    made = plan.make(CLIP, (), ladder.voices(CLIP.audio), "veryfast", 24)
    assert published.prefix(made, set(), {"a0": 2}) == 2
    assert published.prefix(made, {SOUND}, {"a0": 2}) == made.segments


def test_a_rung_is_whole_with_the_last_of_its_pieces_and_a_sound_with_its_one() -> None:
    by_name = {piece.name: piece for piece in PLAN.pieces}
    made = [Rendition(name, "avc1", 24000, "", ()) for name in ("v720", "v360")]
    last, high, low = by_name[CHUNKS[-1]], by_name["video-00000-v720"], by_name["video-00000-v360"]
    assert published.whole(PLAN, last, made, set(CHUNKS)) == made
    assert published.whole(PLAN, last, made, set(CHUNKS) - {low.name}) == made[:1]
    assert published.whole(PLAN, high, made[:1], {high.name}) == []
    sound = [Rendition("a0", "mp4a.40.2", 48000, "", ())]
    assert published.whole(PLAN, by_name[SOUND], sound, {SOUND}) == sound


def test_a_growing_playlist_is_the_beginning_of_the_final_one() -> None:
    assert CLIP.video
    source = replace(CLIP, video=replace(CLIP.video, end_s=Fraction(47)))
    made = plan.make(source, RUNGS, ladder.voices(CLIP.audio), "veryfast", 24)
    final = tracks.rung("v720", 720, frames=made.frames, rate=RATE)
    voice = tracks.voice(seconds=made.duration_s)
    heads = [tracks.rung("v720", 720, frames=made.segment_frames, rate=RATE), voice]
    before: list[str] = []
    for count in range(1, made.segments + 1):
        grown = published.begin(made, heads, count)
        lines = hls.media(grown[0], made.target_s, ended=False).splitlines()
        assert lines[: len(before)] == before
        before = lines
    ended = hls.media(final, made.target_s).splitlines()
    assert before[6:] == ended[5:-1]  # but for EXT-X-START and EXT-X-ENDLIST
    assert grown[1].segments == voice.segments


def test_a_last_segment_lasts_as_long_as_it_will() -> None:
    head = tracks.rung("v720", 720, frames=144, rate=RATE)
    (rung,) = published.begin(PLAN, [head], 9)
    frame = rung.timescale / RATE
    assert [s.ticks / frame for s in rung.segments] == [144, 144, 144, 48]
    assert rung.segments[0] == Segment(1, int(144 * frame), 0)


def test_guessed_rates_cover_what_the_encoder_may_use() -> None:
    rates = published.estimate(PLAN)
    for rung in PLAN.rungs:
        assert rates[rung.name].peak_bps > rung.maxrate_bps > rates[rung.name].average_bps
    assert rates["a0"].peak_bps == rates["a0"].average_bps > ladder.STEREO_BPS
