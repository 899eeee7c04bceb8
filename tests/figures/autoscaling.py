"""A day of uploads under the policies of deploy/ecs/scaling.yaml, against fleets of a fixed size.

    .venv/bin/python -m tests.figures.autoscaling [--picture docs/images/autoscaling.svg]

The fleet is played (tests/scaling_simulation.py); prices are Fargate's on demand in us-east-1.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles

from tests.figures import autoscaling_picture
from tests.scaling_policies import Policies
from tests.scaling_simulation import Simulation, Upload

DAY_S = 24 * 3600.0
WORKER_HOUR_USD = 4 * 0.04048 + 8 * 0.004445  # 4 vCPU and 8 GB
MAX_WORKERS = 40
# Uploads an hour, from midnight on.
RATES = (4, 2, 0, 0, 0, 2, 8, 16, 18, 20, 20, 18, 24, 24, 18, 16, 16, 18, 20, 24, 26, 24, 14, 8)
FILMS = 0.12  # of uploads are of 20 to 90 minutes, the rest of some minutes
# When, how many within four minutes, and from how many seconds to how many.
BURSTS = ((4.2, 12, 2400, 6000), (9.5, 60, 30, 300), (15.0, 150, 20, 180), (20.5, 8, 3600, 7200))


@dataclass(frozen=True)
class Result:
    """What a fleet made of the day."""

    name: str
    playable_s: list[float]
    ready_s: list[float]
    worker_hours: float
    most: int
    simulation: Simulation

    @property
    def cost_usd(self) -> float:
        return self.worker_hours * WORKER_HOUR_USD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    uploads = day(options.seed)
    hours = sum(upload.length_s for upload in uploads) / 3600
    print(f"{len(uploads)} uploads, {hours:.0f} h of 1080p video\n")
    print("| fleet | playable, p50 | p95 | ready, p50 | p95 | most workers | worker hours | USD |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    results = [
        play("policy, from 0", uploads, 0, Policies(0, MAX_WORKERS)),
        play("policy, from 1", uploads, 1, Policies(1, MAX_WORKERS)),
        *(play(f"fixed, {n}", uploads, n) for n in (4, 6, 8, 12, 20, 40)),
    ]
    for result in results:
        print(describe(result))
    if options.picture:
        fixed = next(result for result in results if result.name == "fixed, 8")
        options.picture.write_text(autoscaling_picture.draw(results[0].simulation, fixed.simulation))


def day(seed: int) -> list[Upload]:
    """Give a day's uploads: quiet at night, busy from noon to evening, and four bursts, two of films."""
    dice = random.Random(seed)
    found: list[Upload] = []
    for hour, rate in enumerate(RATES):
        for _ in range(rate):
            is_film = dice.random() < FILMS
            length_s = dice.uniform(1200, 5400) if is_film else dice.lognormvariate(5.0, 0.8)
            at_s = (hour + dice.random()) * 3600
            found.append(Upload(f"user{dice.randrange(40)}", at_s, _round(length_s)))
    for hour, number, low_s, high_s in BURSTS:
        for _ in range(number):
            at_s = hour * 3600 + dice.uniform(0, 240)
            found.append(Upload(f"studio{hour}", at_s, _round(dice.uniform(low_s, high_s))))
    return sorted(found, key=lambda upload: upload.at_s)


def _round(length_s: float) -> int:
    return max(10, 10 * round(length_s / 10))


def play(name: str, uploads: list[Upload], workers: int, policies: Policies | None = None) -> Result:
    simulation = Simulation([replace(upload) for upload in uploads], workers, policies)
    simulation.run(DAY_S)
    playable = [u.playable_s - u.at_s for u in simulation.uploads if u.playable_s is not None]
    ready = [u.ready_s - u.at_s for u in simulation.uploads if u.ready_s is not None]
    most = max(moment.workers for moment in simulation.moments)
    return Result(name, playable, ready, simulation.billed_s / 3600, most, simulation)


def describe(r: Result) -> str:
    times = (median(r.playable_s), p95(r.playable_s), median(r.ready_s), p95(r.ready_s))
    cells = " | ".join(f"{time_s / 60:.1f} min" for time_s in times)
    return f"| {r.name} | {cells} | {r.most} | {r.worker_hours:.0f} | {r.cost_usd:.2f} |"


def p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
