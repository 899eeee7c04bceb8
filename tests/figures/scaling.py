"""How a one-hour video scales over 1 to 64 workers, and what each chunk costs around its encode.

    python -m tests.figures.scaling [--speed N] [--slots 1,2,4,...] [--heights H,H]

Everything is real but ffmpeg: a stand-in takes its planned time and no CPU, since no machine at
hand has 64 cores. E(W) = T1 / (W x TW), from the upload's end to `ready`. T1 is measured where 1
is among the slots; else it is the sum of the planned times, which is less, so E is then lower.
CPU is that of all Celery processes and, apart, of Redis, PostgreSQL and the S3 server.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from nextstream.adapters.encoder_standin import StandInEncoder
from nextstream.domain.plan import Kind, Plan
from nextstream.domain.video import State, Video
from nextstream.services import feeding
from tests import faults, fleet, servers, workers
from tests.faults import Proxy
from tests.fleet import Fleet
from tests.workers import House

SLOTS_EACH = 8  # processes of a worker; more would wait for its one main process
SOUND_IS_FASTER = 175  # AAC runs at 70 times real time, this ladder at 0.4, on one core here
QUERIES = (
    "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query !~* '^(begin|commit|rollback)'"
)


@dataclass(frozen=True)
class Servers:
    """The addresses of everything that runs for all of the figure."""

    redis: str
    postgres: str
    s3: str
    proxy: Proxy

    def cpu_s(self) -> float:
        return sum(fleet.cpu_s(server.process.pid) for server in servers.RUNNING.values())


@dataclass(frozen=True)
class Measure:
    """One run: `planned_s` is what the stand-in would take on one slot."""

    slots: int
    took_s: float
    planned_s: float
    chunks: int
    fleet_cpu_s: float
    servers_cpu_s: float
    queries: int
    requests: int


def main() -> None:
    options = parse()
    print("| slots | T, s | E | chunks | CPU ms a chunk | of servers | queries | storage requests |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    first: Measure | None = None
    with started(options.folder) as running:
        for slots in map(int, options.slots.split(",")):
            measure = run(running, options, slots)
            first = first or measure
            print(describe(measure, first), flush=True)
    assert first
    print(f"\nT1 is {'measured' if first.slots == 1 else 'the sum of the planned times'}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--speed", type=float, default=4.0, help="seconds of video encoded in one")
    parser.add_argument("--slots", default="1,2,4,8,16,32,64")
    parser.add_argument("--heights", default="360,180")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


@contextmanager
def started(kept: Path | None) -> Iterator[tuple[Servers, Path]]:
    with ExitStack() as stack:
        folder = kept or stack.enter_context(servers.folder())
        loaded = ("shared_preload_libraries=pg_stat_statements", "max_connections=300")
        s3 = stack.enter_context(servers.rclone_s3(folder / "s3"))
        yield (
            Servers(
                stack.enter_context(servers.redis()),
                stack.enter_context(servers.postgres(*loaded)),
                s3,
                stack.enter_context(faults.proxied(s3)),
            ),
            folder,
        )


def run(running: tuple[Servers, Path], options: argparse.Namespace, slots: int) -> Measure:
    """Encode the video once, on a fleet of its own."""
    all_, folder = running
    each = min(slots, SLOTS_EACH)
    pace = f"duration_s={60 * options.minutes}&speed={options.speed}"
    standin = f"standin://?{pace}&sound_speed={SOUND_IS_FASTER * options.speed}"
    with servers.database(all_.postgres) as database, ExitStack() as stack:
        home = folder / f"fleet-{slots}"
        home.mkdir()
        settings = {"DATABASE_URL": database, "FFMPEG": standin, "HEIGHTS": options.heights}
        settings |= {"STORAGE_URL": all_.s3, "WORKER_SLOTS": str(each), "LOG_FORMAT": "json"}
        house = workers.open_house(home, all_.redis, **settings)
        stack.callback(house.platform.database.close)
        env = {**house.env, "NEXTSTREAM_STORAGE_URL": all_.proxy.url}
        crew = stack.enter_context(fleet.running(env, home, slots // each, each))
        wait_online(house, slots // each)
        return measure(house, crew, all_, slots, StandInEncoder.from_url(standin))


def wait_online(house: House, count: int) -> None:
    """Wait until all media workers and the upkeep worker answer, and have come to rest."""
    workers.wait_until(lambda: len(house.platform.dispatcher.workers()) > count, 120)
    time.sleep(3)


def measure(house: House, crew: Fleet, all_: Servers, slots: int, encoder: StandInEncoder) -> Measure:
    with psycopg.connect(house.env["NEXTSTREAM_DATABASE_URL"].replace("+psycopg", "")) as connection:
        connection.autocommit = True
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        fleet_s, servers_s, requests = crew.cpu_s(), all_.cpu_s(), len(all_.proxy.exchanges)
        connection.execute("SELECT pg_stat_statements_reset()")
        video = house.put_in(Path(__file__))  # the stand-in doesn't look into it
        feeding.feed(house.platform)
        ended = wait_ready(house, video.id, crew)
        found = connection.execute(QUERIES).fetchone()
        assert found
        uploaded = ended.state_times[State.UPLOADED]
        assert ended.plan
        return Measure(
            slots,
            (ended.state_times[State.READY] - uploaded).total_seconds(),
            planned_s(encoder, ended.plan),
            sum(piece.kind is Kind.VIDEO for piece in ended.plan.pieces),
            crew.cpu_s() - fleet_s,
            all_.cpu_s() - servers_s,
            int(found[0]),
            len(all_.proxy.exchanges) - requests,
        )


def planned_s(encoder: StandInEncoder, made: Plan) -> float:
    """Give the stand-in's time for all chunks and tracks, were no chunk split by rung."""
    every = tuple(rung.name for rung in made.rungs)
    whole = {p.first_frame: replace(p, rungs=every) for p in made.pieces if p.kind is Kind.VIDEO}
    sounds = (piece for piece in made.pieces if piece.kind is Kind.AUDIO)
    return sum(encoder.takes_s(made, piece) for piece in (*whole.values(), *sounds))


def wait_ready(house: House, video_id: str, crew: Fleet) -> Video:
    """Look seldom: each look is a query of ours."""
    while True:
        video = house.video(video_id)
        if video.state in (State.READY, State.FAILED):
            assert video.state is State.READY, video.failure
            return video
        crew.tend()
        time.sleep(1)


def describe(m: Measure, first: Measure) -> str:
    t1_s = first.took_s if first.slots == 1 else m.planned_s
    return (
        f"| {m.slots} | {m.took_s:.1f} | {t1_s / (m.slots * m.took_s):.3f} | {m.chunks} "
        f"| {1000 * m.fleet_cpu_s / m.chunks:.0f} | {1000 * m.servers_cpu_s / m.chunks:.0f} "
        f"| {m.queries / m.chunks:.1f} | {m.requests / m.chunks:.1f} |"
    )


if __name__ == "__main__":
    main()
