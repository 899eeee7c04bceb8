"""How much work waits: costs by pixels, corrected by what slots are seen to do."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from nextstream.adapters.encoder_memory import CLIP
from nextstream.domain import backlog, ladder, plan
from nextstream.domain.backlog import Backlog, Running
from nextstream.domain.plan import Kind, Plan, Rung


def rung(name: str, width: int, height: int, codec: str = "h264") -> Rung:
    return Rung(name, width, height, 23, 1_000_000, 2_000_000, codec)


def make(seconds: int, *rungs: Rung, slots: int = 1) -> Plan:
    assert CLIP.video
    length = Fraction(seconds)
    source = replace(CLIP, duration_s=length, video=replace(CLIP.video, end_s=length, rate=Fraction(25)))
    return plan.make(source, rungs, ladder.voices(source.audio), "veryfast", 24, slots)


BIG, SMALL = rung("v720", 1280, 720), rung("v360", 640, 360)


def video_cost(made: Plan) -> float:
    of_video = {piece.name for piece in made.pieces if piece.kind is Kind.VIDEO}
    return sum(cost for name, cost in backlog.costs(made).items() if name in of_video)


def test_a_video_costs_its_pixels_however_it_is_cut() -> None:
    whole = video_cost(make(600, BIG, SMALL))
    assert whole == pytest.approx(600 * 25 * (1280 * 720 + 640 * 360) / backlog.PIXELS_PER_S)
    assert video_cost(make(600, BIG, SMALL, slots=16)) == pytest.approx(whole)
    assert video_cost(make(1200, BIG, SMALL)) == pytest.approx(2 * whole)


def test_newer_codecs_cost_more() -> None:
    assert video_cost(make(60, rung("v720", 1280, 720, "hevc"))) > 2 * video_cost(make(60, BIG))


def test_sound_costs_a_share_of_its_length() -> None:
    made = make(600, BIG)
    costs = backlog.costs(made)
    sounds = [costs[piece.name] for piece in made.pieces if piece.kind is Kind.AUDIO]
    assert sounds == [600 / backlog.SOUND_PER_S] * len(made.voices)
    assert sounds


def test_a_source_that_is_not_probed_stands_for_its_whole_encode() -> None:
    size_bytes = 600_000_000  # ten minutes at 8 Mb/s
    guessed = backlog.guess(size_bytes)["probe"]
    known = video_cost(make(600, rung("v1080", 1920, 1080), BIG, SMALL))
    assert known / 3 < guessed < 3 * known
    assert backlog.guess(None)["probe"] > 0


def test_a_piece_that_cannot_be_shared_counts_for_one_slot() -> None:
    assert backlog.counted(10 * 3600.0) == backlog.LONGEST_S
    assert backlog.counted(5.0) == 5.0


def running(**done: float) -> Backlog:
    return Backlog(running={name: Running(60.0, share) for name, share in done.items()})


def test_speed_is_measured_by_the_claims_that_ran_all_the_time() -> None:
    # Both did half of 60 s in 20 s; what has ended or begun meanwhile says nothing.
    assert backlog.measure(running(a=0.1, b=0.2, gone=0.9), running(a=0.6, b=0.7, new=0.5), 20) == 1.5


@pytest.mark.parametrize(
    ("before", "now", "elapsed_s"),
    [
        (running(), running(a=0.5), 20),
        (running(a=0.5), running(a=0.5), 20),  # nothing got on
        (running(a=0.1), running(a=0.5), 0),
        (running(a=0.0), running(a=1.0), 0.5),  # sixty seconds of work in half a one
    ],
)
def test_nothing_is_learnt_from_looks_that_say_nothing(
    before: Backlog, now: Backlog, elapsed_s: float
) -> None:
    assert backlog.measure(before, now, elapsed_s) is None
    assert backlog.smooth(1.5, None) == 1.5


def test_one_odd_measure_does_not_turn_the_speed_over() -> None:
    assert 1.0 < backlog.smooth(1.0, 3.0) < 2.0


def test_the_load_is_in_seconds_of_a_worker_with_all_its_slots() -> None:
    load = backlog.reckon(Backlog(10, 1200.0, running(a=0.5).running), 2.0, workers=3, slots_each=4)
    assert load.waiting_s == 150.0
    assert load.per_worker_s == 50.0
    assert load.open_pieces == 11


def test_the_load_is_defined_without_any_worker() -> None:
    load = backlog.reckon(Backlog(1, 90.0), 1.0, workers=0, slots_each=2)
    assert load.per_worker_s == load.waiting_s == 45.0
