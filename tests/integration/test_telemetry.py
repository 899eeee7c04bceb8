"""One video through all that `make up` starts: its trace, its numbers and its lines in the log."""

from __future__ import annotations

import json
import re
import shelve
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from nextstream.domain import metrics
from tests import collector, dashboards, installation, servers, sources, workers
from tests.collector import Seen
from tests.conftest import do_without
from tests.installation import Installation

CHOSEN = {"HEIGHTS": "180", "PRESET": "ultrafast", "CHUNK_S": "6", "LOG_FORMAT": "json"}


@dataclass
class Told:
    """What an installation told of one video; `log` has its JSON lines, each with its program's name."""

    video_id: str
    spans: list[Seen]
    samples: dict[str, float]
    log: list[tuple[str, dict[str, Any]]]
    tasks_of_flower: dict[str, Any]
    folder: Path
    found: dict[str, int] | None

    def below(self, span: Seen) -> list[Seen]:
        return [each for each in self.spans if each.parent_id == span.span_id]

    def only(self, name: str) -> Seen:
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder, port = tmp_path_factory.mktemp("up"), servers.free_port()
    source = sources.steady(folder / "steady.mp4", seconds=8)
    env = {f"NEXTSTREAM_{name}": value for name, value in CHOSEN.items()}
    env["NEXTSTREAM_METRICS_PORT"] = str(port)
    with collector.running() as traces:
        with installation.running(
            folder / "data", {**env, "NEXTSTREAM_TRACING_URL": traces.url}
        ) as house:
            video_id = house.upload(source)["id"]
            assert house.wait_ended(video_id)["state"] == "ready"
            workers.wait_until(lambda: any(s.name == "send video.ready" for s in traces.spans), 60)
            workers.wait_until(lambda: read(port).get(metrics.WORKERS.name) == 1, 60)
            flower = tasks_of_flower(house)
            found = look_up(port)
            samples = read(port)
        (first,) = [span for span in traces.spans if span.name == "gateway PUT upload"]
        yield Told(video_id, traces.of(first.trace_id), samples, parse(house.log), flower, folder, found)


def read(port: int) -> dict[str, float]:
    """Give what Prometheus would read, summed up over the labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    sums: dict[str, float] = {}
    for sample in (sample for family in families for sample in family.samples):
        sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums


def look_up(port: int) -> dict[str, int] | None:
    """Let a Prometheus scrape, and count the series that each query of ours gives; None without one."""
    if not shutil.which("prometheus"):
        return None
    with servers.prometheus(port) as url:

        def query(expression: str) -> list[Any]:
            asked = {"query": expression.replace("$__rate_interval", "1m")}
            answer = requests.get(f"{url}/api/v1/query", params=asked, timeout=30).json()
            assert answer["status"] == "success", (expression, answer)
            return list(answer["data"]["result"])

        # A rate needs two samples.
        workers.wait_until(lambda: bool(query("rate(nextstream_beat_tasks_total[1m])")), 60)
        return {expression: len(query(expression)) for expression in dashboards.expressions()}


def tasks_of_flower(house: Installation) -> dict[str, Any]:
    """Give the page of tasks that an operator sees, by way of the gateway."""
    session = requests.Session()
    session.cookies.set("ns_access", house.token())
    answer = session.get(f"{house.url}/flower/tasks", timeout=60)
    assert answer.ok, answer.text
    body = {"draw": 1, "start": 0, "length": 100, "search[value]": "", "order[0][column]": 0}
    body |= {"order[0][dir]": "asc", "columns[0][data]": "name"}
    headers = {"Origin": house.url}
    found = session.post(f"{house.url}/flower/tasks/datatable", data=body, headers=headers, timeout=60)
    assert found.ok, found.text
    return {task["uuid"]: task for task in found.json()["data"]}


def parse(lines: list[str]) -> list[tuple[str, dict[str, Any]]]:
    parts = (re.match(r" *(\w+) \| (\{.*\})$", line) for line in lines)
    return [(part[1], json.loads(part[2])) for part in parts if part]


def test_one_trace_goes_from_the_gateway_through_every_task_to_the_last_event(told: Told) -> None:
    front = told.only("gateway PUT upload")
    (service,) = told.below(front)
    assert service.name == "PUT /api/v1/uploads/<filename>"
    steps = told.below(service)
    tasks = sorted(span.name for span in steps if span.name.startswith("media."))
    assert tasks == ["media.audio", "media.encode", "media.encode", "media.probe", "media.publish"]
    waits = [span.facts["task"] for span in steps if span.name == "wait in queue"]
    assert sorted(waits) == tasks
    assert [s.name for s in told.below(told.only("media.probe")) if s.name == "ffprobe"]
    for task in (span for span in steps if span.name in ("media.encode", "media.audio")):
        assert task.facts["video_id"] == told.video_id
        (ffmpeg,) = [span for span in told.below(task) if span.name == "ffmpeg"]
        assert task.began_ns <= ffmpeg.began_ns < ffmpeg.ended_ns <= task.ended_ns
    publish = told.only("media.publish")
    assert {"write manifests", "send video.ready"} <= {span.name for span in told.below(publish)}
    known = {span.span_id for span in told.spans}
    assert all(span.parent_id in known for span in told.spans if span != front)


def test_what_was_done_is_counted_across_all_processes(told: Told) -> None:
    samples = told.samples
    assert samples["nextstream_videos_ready_total"] == 1
    assert samples["nextstream_pieces_done_total"] == 3
    assert samples["nextstream_encode_speed_ratio_count"] == 3
    assert samples["nextstream_first_playable_seconds_count"] == 1
    assert samples["nextstream_ready_seconds_count"] == 1
    assert samples["nextstream_upload_bytes_total"] > 1000
    assert samples["nextstream_worker_slots"] >= 1
    for name in ("http_requests_total", "gateway_requests_total", "beat_tasks_total", "tasks_total"):
        assert samples[f"nextstream_{name}"] > 0
    assert samples["nextstream_queue_wait_seconds_count"] >= 5
    assert samples["nextstream_database_transaction_seconds_count"] > 0


def test_every_metric_of_the_catalogue_is_told_and_no_other_program_counts_along(told: Told) -> None:
    plain = [metric for metric in metrics.ALL if not metric.labels]
    for metric in plain:
        assert {metric.name, f"{metric.name}_count"} & set(told.samples), metric.name
    assert not [name for name in told.samples if name.startswith("flower_")]


def test_every_line_is_json_and_those_of_a_job_name_its_request_video_and_task(told: Told) -> None:
    programs = {program for program, _ in told.log}
    assert {"gateway", "media", "upkeep"} <= programs
    lines = [(program, line) for program, line in told.log if line.get("video_id") == told.video_id]
    (request_id,) = {line["request_id"] for p, line in lines if line["event"] == "video uploaded"}
    ours = [line for program, line in lines if program == "media"]
    assert {line["event"] for line in ours} >= {"task started", "video playable", "video ready"}
    for line in ours:
        assert line["request_id"] == request_id
        assert line["task_id"]
        assert line["trace_id"] == told.spans[0].trace_id
    assert all(line["task_id"] for p, line in lines if p == "upkeep")
    answered = [line for p, line in lines if p == "gateway" and line["event"] == "request answered"]
    assert answered
    assert {"POST", "PUT", "GET"} >= {line["method"] for line in answered} >= {"PUT", "GET"}


def test_flower_shows_an_operator_each_task_with_its_video_chunk_and_rungs(told: Told) -> None:
    tasks = [task for task in told.tasks_of_flower.values() if told.video_id in str(task["args"])]
    encodes = [task for task in tasks if task["name"] == "media.encode"]
    assert sorted(task["args"].rpartition(", ")[2].strip("\"'") for task in encodes) == [
        "video-00000",
        "video-00001",
    ]
    assert {task["kwargs"].strip("\"'") for task in encodes} == {"v180"}


def test_what_flower_saw_is_there_after_a_restart(told: Told) -> None:
    with shelve.open(str(told.folder / "data" / "flower.db"), "r") as kept:
        tasks = kept["events"].tasks
    assert set(told.tasks_of_flower) <= set(tasks)


def test_prometheus_answers_every_query_of_the_dashboard_and_the_alerts(told: Told) -> None:
    if told.found is None:
        do_without("prometheus is not on this machine")
    # What hasn't happened yet has no series.
    rare = ("failed", "returned", "refused", "webhook_deliveries_total", "backend_errors")
    usual = [rule["expr"] for rule in dashboards.RULES]
    nothing = [each for each, count in told.found.items() if not count and each not in usual]
    assert [each for each in nothing if not any(word in each for word in rare)] == []
    ringing = {rule["alert"] for rule in dashboards.RULES if told.found[rule["expr"]]}
    assert ringing <= {"EncodesSlow", "UpkeepWaits", "RequestsSlow"}  # this machine may be loaded
