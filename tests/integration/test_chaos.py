"""The short form of tests/figures/chaos.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import chaos, conftest, losses, servers
from tests.chaos import Course

COURSE = Course(
    seed=4,
    videos=3,
    workers=2,
    lasts_s=24,
    source_s=20,
    kill_every_s=5,
    redis_s=1,
    postgres_s=2,
    kafka_s=4,
    ends_within_s=120,
)


@pytest.mark.timeout(400)
def test_nothing_is_lost_whatever_is_killed_and_stopped(tmp_path: Path) -> None:
    try:
        done = chaos.run(COURSE, tmp_path)
    except servers.Missing as missing:
        conftest.do_without(missing)
    assert done.suffered["kill"] >= 2
    assert {"redis", "wipe", "postgres", "kafka", "s3"} <= done.suffered.keys()
    assert [finding for finding in done.findings if not finding.holds] == []
    assert len(done.videos) == 3
    # And these findings would have told of a loss:
    segment = next(done.stored.glob(f"videos/{done.videos[0].id}/*/v360/00002.m4s"))
    segment.rename(segment.with_name("00099.m4s"))
    assert not losses.no_orphans(done.stored, done.videos).holds
    segment.with_name("00099.m4s").unlink()
    assert not losses.frames_are_there(done.stored, done.videos).holds
