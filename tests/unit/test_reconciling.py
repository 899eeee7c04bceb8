"""What is lost is found and done: messages, workers, and what a process didn't live to send."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from nextstream import wiring
from nextstream.adapters.clock import EndlessShift, HandClock
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.adapters.encoder_memory import MemoryEncoder
from nextstream.domain.accounts import Account, Role
from nextstream.domain.video import State
from nextstream.errors import EncoderFailed, QueueUnavailable, ShiftOver
from nextstream.ports import Platform, Task
from nextstream.services import feeding, fleet, library, reconciling, transcoding, uploads

ADA = Account("ada", "ada", "", Role.UPLOADER, HandClock().now())


@pytest.fixture
def dispatcher() -> MemoryDispatcher:
    return MemoryDispatcher()


@pytest.fixture
def platform(dispatcher: MemoryDispatcher) -> Platform:
    return wiring.in_memory(clock=HandClock(), dispatcher=dispatcher)


@pytest.fixture
def video_id(platform: Platform) -> str:
    return uploads.receive(platform, ADA, "clip.mp4", None, [b"film"], None).id


def look(platform: Platform, after_s: float, step_s: float = 1.0) -> None:
    """Reconcile once a second, as beat does."""
    assert isinstance(platform.clock, HandClock)
    for _ in range(int(after_s / step_s)):
        platform.clock.advance(step_s)
        reconciling.reconcile(platform)


def task(platform: Platform, video_id: str, name: str) -> Task:
    with platform.database.transaction() as tx:
        return next(task for task in tx.pieces.list(video_id, 1) if task.piece.name == name)


def claim(platform: Platform, video_id: str, name: str, worker: str = "w1") -> Task:
    until = platform.clock.now() + timedelta(seconds=platform.settings.lease_s)
    with platform.database.transaction() as tx:
        taken = tx.pieces.claim(video_id, 1, name, worker, until)
    assert taken
    return taken


def test_a_wiped_queue_is_filled_again_within_seconds(
    platform: Platform, dispatcher: MemoryDispatcher, video_id: str
) -> None:
    sent = dispatcher.sent.copy()
    dispatcher.sent.clear()
    look(platform, feeding.UNCLAIMED_S + 2)
    assert dispatcher.sent == sent


def test_a_message_that_only_waits_is_not_sent_again(
    platform: Platform, dispatcher: MemoryDispatcher, video_id: str
) -> None:
    look(platform, 120)
    assert len(dispatcher.sent) == 1


def test_a_message_on_its_way_to_its_claim_is_not_taken_for_lost(
    platform: Platform, dispatcher: MemoryDispatcher, video_id: str
) -> None:
    for piece in transcoding.probe(platform, video_id, 1, "w"):
        message = dispatcher.sent.pop()  # always one between the queue and its claim, on a busy day
        look(platform, 3)
        dispatcher.sent.append(message)
        look(platform, 1)
        transcoding.encode(platform, video_id, 1, piece.name, "w")
        dispatcher.sent.pop(0)
    names = [message.name for message in dispatcher.sent]
    assert len(names) == len(set(names))


def test_a_queue_that_was_away_gets_its_messages_when_it_is_back(
    platform: Platform, dispatcher: MemoryDispatcher
) -> None:
    dispatcher.away = True
    uploads.receive(platform, ADA, "clip.mp4", None, [b"film"], None)
    platform.clock.advance(60)  # type: ignore[attr-defined]  # the clock is a HandClock
    with pytest.raises(QueueUnavailable):
        reconciling.reconcile(platform)
    dispatcher.away = False
    look(platform, feeding.UNCLAIMED_S + 2)
    assert len(dispatcher.sent) == 1


def test_a_lost_workers_piece_starts_again_when_its_lease_ends(
    platform: Platform, dispatcher: MemoryDispatcher, video_id: str
) -> None:
    claim(platform, video_id, "probe")
    dispatcher.sent.clear()
    look(platform, platform.settings.lease_s)
    assert not dispatcher.sent
    look(platform, 1)
    assert [message.name for message in dispatcher.sent] == ["probe"]
    assert task(platform, video_id, "probe").losses == 1


def test_leases_that_ended_while_the_database_was_away_are_not_taken_for_losses(
    platform: Platform, video_id: str
) -> None:
    taken = claim(platform, video_id, "probe")
    look(platform, 2)
    platform.clock.advance(60)  # type: ignore[attr-defined]  # nobody could look, nor send a heartbeat
    reconciling.reconcile(platform)
    assert task(platform, video_id, "probe").token == taken.token
    look(platform, platform.settings.lease_s + 1)
    assert task(platform, video_id, "probe").losses == 1


def test_publish_is_sent_also_by_a_look_where_the_last_worker_did_not_live_to(
    platform: Platform, dispatcher: MemoryDispatcher, video_id: str
) -> None:
    for piece in transcoding.probe(platform, video_id, 1, "w"):
        dispatcher.away = True  # what the end of a process looks like from outside
        transcoding.encode(platform, video_id, 1, piece.name, "w")
    dispatcher.away = False
    dispatcher.sent.clear()
    look(platform, feeding.UNCLAIMED_S + 2)
    assert [message.name for message in dispatcher.sent] == ["publish"]


def test_the_last_two_pieces_let_publish_begin_once(
    platform: Platform, dispatcher: MemoryDispatcher, video_id: str
) -> None:
    *rest, last, other = transcoding.probe(platform, video_id, 1, "w")
    for piece in rest:
        transcoding.encode(platform, video_id, 1, piece.name, "w")

    class Second(MemoryEncoder):
        def encode(self, *args: object) -> object:  # type: ignore[override]  # passes all on
            transcoding.encode(platform, video_id, 1, other.name, "w2")
            return super().encode(*args)  # type: ignore[arg-type]  # as given

    transcoding.encode(replace(platform, encoder=Second()), video_id, 1, last.name, "w1")
    assert [message.name for message in dispatcher.sent].count("publish") == 1
    transcoding.publish(platform, video_id, 1, "w1")
    transcoding.publish(platform, video_id, 1, "w2")
    assert library.get(platform, ADA, video_id).state is State.READY


def failing(platform: Platform, name: str) -> Platform:
    encoder = MemoryEncoder()
    encoder.failing[name] = EncoderFailed()
    return replace(platform, encoder=encoder)


def test_a_piece_that_failed_goes_to_another_worker_if_there_is_one(
    platform: Platform, dispatcher: MemoryDispatcher, video_id: str
) -> None:
    fleet.note(platform, "w1", 1)
    fleet.note(platform, "w2", 1)
    with pytest.raises(EncoderFailed):
        transcoding.probe(failing(platform, "probe"), video_id, 1, "w1")
    assert transcoding.probe(platform, video_id, 1, "w1") == ()
    left = task(platform, video_id, "probe")
    assert (left.state, left.attempt, left.failed_by) == ("waiting", 1, ("w1",))
    assert transcoding.probe(platform, video_id, 1, "w2")


@pytest.mark.parametrize("others", ["none", "draining", "gone", "busy for long"])
def test_a_piece_that_failed_comes_back_to_its_worker_where_no_other_takes_it(
    platform: Platform, video_id: str, others: str
) -> None:
    clock = platform.clock
    assert isinstance(clock, HandClock)
    if others != "none":
        fleet.note(platform, "w2", 1, draining=others == "draining")
    clock.advance(fleet.GONE_AFTER_S + 1 if others == "gone" else 0)
    with pytest.raises(EncoderFailed):
        transcoding.probe(failing(platform, "probe"), video_id, 1, "w1")
    if others == "busy for long":
        clock.advance(61)
        fleet.note(platform, "w2", 1)
    assert transcoding.probe(platform, video_id, 1, "w1")


def test_a_failed_piece_waits_longer_each_time_before_it_is_sent_again(
    platform: Platform, dispatcher: MemoryDispatcher, video_id: str
) -> None:
    waits = []
    for _ in range(2):
        with pytest.raises(EncoderFailed):
            transcoding.probe(failing(platform, "probe"), video_id, 1, "w1")
        dispatcher.sent.clear()
        waited = 0
        while not dispatcher.sent:
            waited += 1
            look(platform, 1)
        waits.append(waited)
    assert waits == [1, 2]


def test_a_piece_is_given_back_at_once_where_the_workers_shift_ends_before_it(
    platform: Platform, dispatcher: MemoryDispatcher, video_id: str
) -> None:
    shift = EndlessShift()
    transcoding.probe(platform, video_id, 1, "w")
    before = len(dispatcher.sent)

    class Half(MemoryEncoder):
        def encode(self, source: str, plan: object, piece: object, report: object) -> object:  # type: ignore[override]
            shift.ends_in_s = 0.5
            report(1)  # type: ignore[operator]  # a Report
            raise AssertionError("it goes on")

    ending = replace(platform, encoder=Half(), shift=shift)
    with pytest.raises(ShiftOver):
        transcoding.encode(ending, video_id, 1, "video-00000", "w1")
    left = task(platform, video_id, "video-00000")
    assert (left.state, left.attempt, left.failed_by, left.losses) == ("sent", 0, (), 0)
    assert [message.name for message in dispatcher.sent[before:]] == ["video-00000"]


def test_a_piece_that_ends_within_the_shift_does_so(platform: Platform, video_id: str) -> None:
    shift = EndlessShift()
    transcoding.probe(platform, video_id, 1, "w")
    shift.ends_in_s = 30
    transcoding.encode(replace(platform, shift=shift), video_id, 1, "video-00000", "w1")
    assert task(platform, video_id, "video-00000").state == "done"


def test_a_fault_of_our_own_counts_as_an_attempt_and_goes_on_to_the_log(
    platform: Platform, video_id: str
) -> None:
    class Wrong(MemoryEncoder):
        def probe(self, *_: object) -> object:  # type: ignore[override]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        transcoding.probe(replace(platform, encoder=Wrong()), video_id, 1, "w1")
    left = task(platform, video_id, "probe")
    assert (left.state, left.failed_by) == ("waiting", ("w1",))
    assert "ZeroDivisionError" in (left.error or "")


def test_a_worker_that_ended_without_a_word_is_told_of_once(platform: Platform) -> None:
    fleet.note(platform, "media@lost", 2)
    look(platform, fleet.FORGOTTEN_AFTER_S + 120, step_s=60)
    with platform.database.transaction() as tx:
        told = [entry.event for entry in tx.outbox.page(0, 99, "media@lost")]
        assert not tx.workers.list()
    assert [(event.type, event.data) for event in told] == [("worker.offline", {"lost": True})]
