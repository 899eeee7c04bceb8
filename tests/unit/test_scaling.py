"""The load as it is told to whoever scales the fleet, and as CloudWatch gets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest
from moto import mock_aws

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.scaling_cloudwatch import NAMESPACE, CloudWatchScaling
from nextstream.domain.backlog import Load
from nextstream.domain.plan import Kind, Piece
from nextstream.domain.video import Video
from nextstream.errors import Misconfigured, ScalingUnavailable
from nextstream.ports import Platform, Task, Worker
from nextstream.services import scaling
from nextstream.settings import Settings

CHUNKS = [Piece(f"video-{n:05d}", Kind.VIDEO, 100 * n, 100, ("v720",)) for n in range(4)]
CONTAINER = {"name": "worker", "image": "worker", "memory": 512}
COSTS_S = {piece.name: 60.0 for piece in CHUNKS}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def platform(clock: HandClock) -> Platform:
    platform = wiring.in_memory(clock=clock)
    platform = replace(platform, settings=replace(platform.settings, scaling_slots=2))
    with platform.database.transaction() as tx:
        tx.videos.add(Video("v1", "owner", "Title", "a.mp4", clock.now()))
        tx.pieces.add("v1", 1, CHUNKS, COSTS_S)
    return platform


def claim(platform: Platform, name: str) -> Task:
    with platform.database.transaction() as tx:
        task = tx.pieces.claim("v1", 1, name, "w1", platform.clock.now() + timedelta(days=1))
        assert task
        return task


def test_without_workers_the_load_is_what_one_of_the_usual_kind_would_take(platform: Platform) -> None:
    assert scaling.publish(platform) == Load(120.0, 4, 0)
    assert platform.scaling.told == [(platform.clock.now(), Load(120.0, 4, 0))]


def test_workers_that_are_there_say_how_many_slots_they_have(platform: Platform) -> None:
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        tx.workers.note(Worker("w1", 4, now))
        tx.workers.note(Worker("leaving", 4, now, draining=True))
    assert scaling.publish(platform) == Load(60.0, 4, 1)


def test_workers_on_their_way_count(platform: Platform) -> None:
    platform.scaling.workers = 6
    assert scaling.publish(platform).per_worker_s == 20.0


def test_a_fleet_that_is_seen_to_be_fast_has_less_to_wait_for(
    platform: Platform, clock: HandClock
) -> None:
    task = claim(platform, "video-00000")
    before = scaling.publish(platform)
    for frames in (50, 100):  # half of sixty seconds' work in fifteen
        clock.advance(15)
        with platform.database.transaction() as tx:
            tx.pieces.beat(task, frames, clock.now() + timedelta(days=1))
        load = scaling.publish(platform)
    assert before.waiting_s / 2 < load.waiting_s < before.waiting_s / 1.4


def test_idle_means_that_nothing_waits_and_nothing_runs(platform: Platform) -> None:
    for piece in CHUNKS:
        task = claim(platform, piece.name)
        assert scaling.publish(platform).open_pieces > 0
        with platform.database.transaction() as tx:
            tx.pieces.finish(task, ())
    assert scaling.publish(platform) == Load(0.0, 0, 0)


# --- CloudWatch and ECS


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "only-for-tests")
    with mock_aws():
        yield


@pytest.fixture
def cloudwatch(aws: None) -> CloudWatchScaling:
    ecs = boto3.client("ecs", "eu-central-1")
    ecs.create_cluster(clusterName="house")
    ecs.register_task_definition(family="worker", containerDefinitions=[CONTAINER])
    ecs.create_service(cluster="house", serviceName="worker", taskDefinition="worker", desiredCount=3)
    return CloudWatchScaling.from_url("cloudwatch://house/worker?region=eu-central-1")


def test_cloudwatch_gets_the_load_under_the_names_of_the_service(cloudwatch: CloudWatchScaling) -> None:
    now = wiring.in_memory().clock.now()
    cloudwatch.publish(Load(600.0, 7, 3), now)
    client = boto3.client("cloudwatch", "eu-central-1")
    dimensions = [
        {"Name": "ClusterName", "Value": "house"},
        {"Name": "ServiceName", "Value": "worker"},
    ]

    def read(name: str) -> float:
        (point,) = client.get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=name,
            Dimensions=dimensions,
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return float(point["Maximum"])

    told = {"BacklogPerWorker": 200.0, "Backlog": 600.0, "OpenPieces": 7.0, "Workers": 3.0}
    assert {name: read(name) for name in told} == told


def test_ecs_says_how_many_workers_are_wanted(cloudwatch: CloudWatchScaling) -> None:
    assert cloudwatch.wanted() == 3
    assert CloudWatchScaling.from_url("cloudwatch://house/none?region=eu-central-1").wanted() is None


def test_a_cluster_that_is_not_there_is_our_error(aws: None) -> None:
    with pytest.raises(ScalingUnavailable):
        CloudWatchScaling.from_url("cloudwatch://none/worker?region=eu-central-1").wanted()


@pytest.mark.parametrize("url", ["cloudwatch://house", "cloudwatch:///worker", "cloudwatch://a/b?c=d"])
def test_an_address_that_names_no_service_is_told(url: str) -> None:
    with pytest.raises(Misconfigured, match="cloudwatch://CLUSTER/SERVICE"):
        CloudWatchScaling.from_url(url)


def test_another_scheme_is_told() -> None:
    with pytest.raises(Misconfigured, match="NEXTSTREAM_SCALING_URL"):
        wiring.build(Settings(scaling_url="http://house/worker"))
