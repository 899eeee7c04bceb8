from __future__ import annotations

import time
from dataclasses import replace

import pytest

from nextstream import wiring
from nextstream.adapters.encoder_standin import StandInEncoder
from nextstream.domain import fmp4, ladder, plan
from nextstream.domain.plan import Plan
from nextstream.errors import Misconfigured
from nextstream.settings import Settings

URL = "standin://?duration_s=20&speed=40&sound_speed=100"


@pytest.fixture
def encoder() -> StandInEncoder:
    return StandInEncoder.from_url(URL)


@pytest.fixture
def made(encoder: StandInEncoder) -> Plan:
    found = encoder.probe("anything", 0)
    assert found.video
    rungs = ladder.choose(found.video, (360, 180), found.video.rate, 23)
    return plan.make(found, rungs, ladder.voices(found.audio), "veryfast", 24)


def took_s(begun: float) -> float:
    return time.monotonic() - begun


def test_the_source_has_the_length_that_was_asked_for(made: Plan) -> None:
    assert made.duration_s == 20


def test_a_chunk_takes_its_planned_time_and_has_its_frames(encoder: StandInEncoder, made: Plan) -> None:
    piece = made.piece("video-00000")
    reports: list[int] = []
    begun = time.monotonic()
    encoded = list(encoder.encode("anything", made, piece, reports.append))
    assert took_s(begun) >= piece.frames / made.rate / 40
    assert reports[-1] == piece.frames
    assert [each.name for each in encoded] == list(piece.rungs)
    assert {len(fmp4.read(each.data).samples) for each in encoded} == {piece.frames}


def test_fewer_rungs_take_less_time_but_more_than_their_share(
    encoder: StandInEncoder, made: Plan
) -> None:
    piece = made.piece("video-00000")
    parts = [replace(piece, rungs=(name,)) for name in piece.rungs]
    whole_s, parts_s = encoder.takes_s(made, piece), [encoder.takes_s(made, part) for part in parts]
    assert max(parts_s) < whole_s < sum(parts_s)


def test_a_track_comes_in_blocks_over_its_time(encoder: StandInEncoder, made: Plan) -> None:
    begun = time.monotonic()
    blocks = list(encoder.encode_audio("anything", made, made.voices[0]))
    assert took_s(begun) >= 20 / 100
    assert fmp4.read(b"".join(blocks)).samples


def test_a_word_that_no_stand_in_knows_is_told() -> None:
    with pytest.raises(Misconfigured, match="sound_speed"):
        wiring.build(replace(Settings(ffmpeg="standin://?pace=3"), database_url=wiring.MEMORY))
