"""The policies of deploy/ecs/scaling.yaml, played: a fleet wakes, keeps up, and goes to sleep."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.scaling_policies import Policies
from tests.scaling_simulation import Simulation, Upload

MINUTE_S = 60.0


def play(
    uploads: Sequence[Upload], workers: int = 0, least: int = 0, most: int = 40, hours: float = 1
) -> Simulation:
    simulation = Simulation(uploads, workers, Policies(least, most))
    simulation.run(hours * 3600)
    return simulation


def most_workers(simulation: Simulation) -> int:
    return max(moment.workers for moment in simulation.moments)


def last_workers(simulation: Simulation) -> int:
    return simulation.moments[-1].workers


def test_without_work_nothing_runs_and_nothing_is_paid() -> None:
    simulation = play([])
    assert (most_workers(simulation), simulation.billed_s) == (0, 0)


def test_one_upload_wakes_one_worker_which_is_stopped_when_it_has_been_idle() -> None:
    upload = Upload("bob", 600.0, 60)
    simulation = play([upload])
    assert upload.playable_s
    assert upload.playable_s - upload.at_s < 3.5 * MINUTE_S
    assert most_workers(simulation) == 1
    assert last_workers(simulation) == 0
    assert simulation.billed_s < 15 * MINUTE_S


def test_a_fleet_that_keeps_one_worker_starts_at_once() -> None:
    upload = Upload("bob", 600.0, 60)
    simulation = play([upload], workers=1, least=1)
    assert upload.playable_s
    assert upload.playable_s - upload.at_s < MINUTE_S
    assert last_workers(simulation) == 1


def test_a_burst_is_answered_within_minutes_and_paid_for_about_once() -> None:
    uploads = [Upload("studio", 300.0 + n, 3600) for n in range(10)]
    simulation = play(uploads, hours=2)
    took_s = max(upload.ready_s or 0 for upload in uploads) - 300
    alone = Simulation([Upload("studio", 0.0, 3600) for _ in range(10)], 1)
    alone.run(0)
    assert took_s < alone.billed_s / 10
    assert simulation.billed_s < 1.35 * alone.billed_s
    assert last_workers(simulation) == 0


def test_workers_on_their_way_are_not_asked_for_again() -> None:
    # Eight minutes of work for one worker need no more than a few, however slowly they start.
    simulation = play([Upload("bob", 300.0, 600)])
    assert most_workers(simulation) <= 4


def test_never_more_than_the_most_nor_fewer_than_the_least() -> None:
    uploads = [Upload("studio", 300.0 + n, 3600) for n in range(20)]
    simulation = play(uploads, workers=2, least=2, most=6, hours=3)
    assert most_workers(simulation) == 6
    assert min(moment.desired for moment in simulation.moments) == 2


def test_a_film_that_cannot_be_shared_out_does_not_wake_a_crowd() -> None:
    # Of a fleet's many pieces each counts for two minutes at the most.
    simulation = play([Upload("bob", 300.0, 7200)])
    pieces_worth = 7200 / 24
    assert most_workers(simulation) < pieces_worth / 4


def test_an_hour_of_quiet_between_two_uploads_is_not_paid() -> None:
    uploads = [Upload("bob", 60.0, 60), Upload("bob", 2 * 3600.0, 60)]
    simulation = play(uploads, hours=3)
    assert all(upload.ready_s for upload in uploads)
    assert simulation.billed_s < 30 * MINUTE_S


@pytest.mark.parametrize("policy", ["Wake", "Burst", "Shrink", "Sleep"])
def test_each_policy_has_its_turn_in_a_day(policy: str) -> None:
    policies = Policies(0, 40)
    uploads = [Upload("studio", 300.0 + 20 * n, 1200) for n in range(12)]
    Simulation(uploads, 0, policies).run(3 * 3600)
    assert policy in {name for _, name, _ in policies.acted}
