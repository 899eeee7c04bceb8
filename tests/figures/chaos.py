"""Videos through a fleet whose workers are killed and whose servers stop: what was lost, if anything.

    python -m tests.figures.chaos [--seed N] [--videos N] [--workers N] [--lasts SECONDS]
                                  [--real-kafka] [--folder KEPT]

A course is drawn from its seed. Workers run as they do in production, over PostgreSQL, Redis,
Kafka (librdkafka's mock, or Apache's) and an S3 server behind a proxy that refuses and cuts requests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import chaos
from tests.chaos import Course, Run


def main() -> int:
    options = parse()
    course = Course(
        options.seed,
        options.videos,
        options.workers,
        options.lasts,
        real_kafka=options.real_kafka,
    )
    with folder(options.folder) as home:
        done = chaos.run(course, home, log=lambda line: print(line, file=sys.stderr, flush=True))
    print(describe(done))
    return 0 if all(finding.holds for finding in done.findings) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--videos", type=int, default=Course.videos)
    parser.add_argument("--workers", type=int, default=Course.workers)
    parser.add_argument("--lasts", type=float, default=Course.lasts_s)
    parser.add_argument("--real-kafka", action="store_true", help="stop Apache Kafka, not freeze a mock")
    parser.add_argument("--folder", type=Path, help="keep everything in this new folder")
    return parser.parse_args()


@contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        kept.mkdir(parents=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="nextstream-chaos-") as home:
        yield Path(home)


def describe(run: Run) -> str:
    """Give the table of a run."""
    asked = run.proxy.exchanges
    failed = sum(one.status in (0, 503) for one in asked)
    suffered = ", ".join(f"{count} x {what}" for what, count in sorted(run.suffered.items()))
    rows = [
        f"seed {run.course.seed}: {run.course.videos} videos, {run.course.workers} workers, "
        f"{run.took_s:.0f} s; {suffered}; {failed} of {len(asked)} storage requests failed",
        "",
        "| rule | found | holds |",
        "| --- | --- | --- |",
        *(f"| {f.rule} | {f.found} | {'yes' if f.holds else 'NO'} |" for f in run.findings),
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
