"""The order of work: fair between owners, and what a viewer waits for first."""

from __future__ import annotations

from collections import Counter

import pytest

from nextstream.domain import scheduling
from nextstream.domain.plan import PROBE, PUBLISH, Kind, Piece
from nextstream.domain.scheduling import ENDING, OPENING, REST, Waiting
from nextstream.domain.video import Priority

NORMAL = scheduling.order(Priority.NORMAL)


def line(
    owner_id: str, count: int, start: int = 0, rank: int = REST, priority: int = NORMAL
) -> list[Waiting]:
    return [Waiting(start + n, owner_id, priority, rank) for n in range(count)]


def order(waiting: list[Waiting], in_flight: dict[str, int], count: int = 100) -> list[int]:
    return [choice.place for choice in scheduling.choose(waiting, in_flight, count)]


@pytest.mark.parametrize(
    ("piece", "rank"),
    [
        (PUBLISH, ENDING),
        (PROBE, OPENING),
        (Piece("video-00000", Kind.VIDEO, 0, 144), OPENING),
        (Piece("audio-a0", Kind.AUDIO, 0, 720), OPENING),
        (Piece("video-00001", Kind.VIDEO, 144, 144), REST),
    ],
)
def test_what_a_viewer_waits_for_has_a_rank_of_its_own(piece: Piece, rank: int) -> None:
    assert scheduling.rank(piece) == rank


def test_a_hundred_uploads_of_one_owner_do_not_hold_up_anothers_one() -> None:
    crowd, single = line("many", 100), line("one", 3, start=500)
    assert order(crowd + single, {}, 6) == [0, 500, 1, 501, 2, 502]


def test_who_has_the_fewest_pieces_in_flight_is_served_first() -> None:
    waiting = line("a", 9) + line("b", 9, start=50)
    chosen = order(waiting, {"a": 5, "b": 2}, 6)
    assert chosen[:3] == [50, 51, 52]
    assert Counter(place < 50 for place in chosen[3:]) == {True: 2, False: 1}


def test_a_higher_priority_comes_before_all_of_a_lower_one_whoever_owns_it() -> None:
    high, low = scheduling.order(Priority.HIGH), scheduling.order(Priority.LOW)
    waiting = line("a", 2, 0, priority=low) + line("b", 2, 10) + line("a", 2, 20, priority=high)
    assert order(waiting, {"a": 50}) == [20, 21, 10, 11, 0, 1]


def test_within_an_owners_turn_opening_pieces_come_first_and_then_the_oldest() -> None:
    waiting = line("a", 3) + line("a", 2, start=10, rank=OPENING)
    assert order(waiting, {}) == [10, 11, 0, 1, 2]


def test_ending_a_video_comes_before_everything() -> None:
    waiting = line("a", 3, priority=scheduling.order(Priority.HIGH)) + line("b", 1, 9, rank=ENDING)
    assert order(waiting, {"b": 50})[0] == 9


def test_messages_sort_by_priority_and_what_ends_a_video_is_first() -> None:
    urgencies = [
        scheduling.choose(line("a", 1, priority=scheduling.order(priority)), {}, 1)[0].urgency
        for priority in (Priority.HIGH, Priority.NORMAL, Priority.LOW)
    ]
    assert urgencies == sorted(set(urgencies))
    assert set(urgencies) < set(scheduling.URGENCIES)
    assert scheduling.choose(line("a", 1, rank=ENDING), {}, 1)[0].urgency == 0


@pytest.mark.parametrize(
    ("in_flight", "overtakes"),
    [({}, True), ({"a": 3}, True), ({"b": 3}, True), ({"a": 1, "b": 3}, False)],
)
def test_an_opening_piece_overtakes_the_queue_unless_its_owner_is_served_and_others_wait(
    in_flight: dict[str, int], overtakes: bool
) -> None:
    (opening,) = scheduling.choose(line("a", 1, rank=OPENING), in_flight, 1)
    (rest,) = scheduling.choose(line("a", 1), in_flight, 1)
    assert (opening.urgency < rest.urgency) == overtakes


@pytest.mark.parametrize(
    ("slots", "in_flight", "eager", "room"),
    [
        (64, 0, True, 128),
        (64, 127, True, 1),
        (64, 128, True, 0),
        (64, 200, True, 0),
        (64, 127, False, 0),
        (64, 112, False, 16),
        (2, 3, False, 1),
        (0, 0, True, scheduling.LEAST_WINDOW),
    ],
)
def test_the_queue_holds_a_piece_for_each_busy_slot_and_is_not_filled_up_for_each_that_ends(
    slots: int, in_flight: int, eager: bool, room: int
) -> None:
    assert scheduling.room(slots, in_flight, eager=eager) == room


@pytest.mark.parametrize(("failures", "losses", "failed"), [(2, 8, False), (3, 0, True), (0, 9, True)])
def test_a_piece_is_given_up_after_its_attempts_and_later_where_workers_vanish(
    failures: int, losses: int, failed: bool
) -> None:
    assert scheduling.has_failed(failures, losses, attempts=3) == failed
