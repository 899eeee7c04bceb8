"""What all adapters of metrics and traces do alike."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from nextstream.adapters.telemetry_memory import MemoryMetrics, MemoryTracer
from nextstream.adapters.telemetry_none import NoMetrics, NoTracer
from nextstream.adapters.telemetry_otel import OtelTracer
from nextstream.adapters.telemetry_prometheus import PrometheusMetrics
from nextstream.domain import metrics, tracing
from nextstream.domain.metrics import PIECES, QUEUE_WAIT, TASKS, UPLOAD_BYTES, WORKERS
from nextstream.errors import Misconfigured
from nextstream.ports import Metrics, SpanKind, Tracer
from tests import servers, workers

REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Give the samples that Prometheus would read, by name and labels."""
    families = text_string_to_metric_families(text)
    samples = (sample for family in families for sample in family.samples)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for s in samples}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[PrometheusMetrics]:
    made = PrometheusMetrics(tmp_path, "127.0.0.1", servers.free_port())
    yield made
    made.close()


@pytest.fixture(params=["memory", "prometheus"])
def counted(request: pytest.FixtureRequest) -> tuple[Metrics, Callable[..., float]]:
    """Give metrics, and what tells a series' value."""
    if request.param == "memory":
        memory = MemoryMetrics()
        return memory, memory.value
    prometheus: PrometheusMetrics = request.getfixturevalue("prometheus")

    def value(metric: metrics.Metric, **labels: str) -> float:
        return read(prometheus.text()).get((metric.name, tuple(sorted(labels.items()))), 0.0)

    return prometheus, value


def test_counters_add_up_for_each_set_of_labels(counted: tuple[Metrics, Callable[..., float]]) -> None:
    made, value = counted
    made.count(TASKS, task="media.probe", outcome="succeeded")
    made.count(TASKS, task="media.probe", outcome="succeeded")
    made.count(TASKS, task="media.probe", outcome="failed")
    made.count(UPLOAD_BYTES, 2048, way="parts")
    assert value(TASKS, task="media.probe", outcome="succeeded") == 2
    assert value(TASKS, task="media.probe", outcome="failed") == 1
    assert value(UPLOAD_BYTES, way="parts") == 2048


def test_a_gauge_is_what_was_said_last(counted: tuple[Metrics, Callable[..., float]]) -> None:
    made, value = counted
    for count in (3, 7, 5):
        made.set(PIECES, count, state="waiting")
        made.set(WORKERS, count)
    assert (value(PIECES, state="waiting"), value(WORKERS)) == (5, 5)


def test_labels_are_those_of_the_metric_or_it_is_a_mistake(
    counted: tuple[Metrics, Callable[..., float]],
) -> None:
    with pytest.raises(ValueError, match="label"):
        counted[0].count(TASKS, task="media.probe", video_id="a1b2c3")


def test_a_histogram_has_the_buckets_of_its_metric(prometheus: PrometheusMetrics) -> None:
    for seconds in (0.2, 4, 7200):
        prometheus.observe(QUEUE_WAIT, seconds, queue="media")
    found = read(prometheus.text())
    name, queue = QUEUE_WAIT.name, ("queue", "media")
    assert found[f"{name}_bucket", (("le", "0.5"), queue)] == 1
    assert found[f"{name}_bucket", (("le", "5.0"), queue)] == 2
    assert (found[f"{name}_count", (queue,)], found[f"{name}_sum", (queue,)]) == (3, 7204.2)


COUNT_ONCE = """
import sys; from pathlib import Path
from nextstream.adapters.telemetry_prometheus import PrometheusMetrics
from nextstream.domain.metrics import TASKS, WORKERS
made = PrometheusMetrics(Path(sys.argv[1]), "127.0.0.1", 1)
made.count(TASKS, task="media.probe", outcome="succeeded")
made.set(WORKERS, 4)
"""


def test_processes_count_together_and_those_that_ended_stay_counted(
    prometheus: PrometheusMetrics, tmp_path: Path
) -> None:
    prometheus.count(TASKS, task="media.probe", outcome="succeeded")
    for _ in range(3):
        subprocess.run([sys.executable, "-c", COUNT_ONCE, tmp_path], check=True, timeout=120)
    found = read(prometheus.text())
    assert found[TASKS.name, (("outcome", "succeeded"), ("task", "media.probe"))] == 4
    assert found[WORKERS.name, ()] == 4
    assert len(list(tmp_path.glob("counter_*"))) == 2  # each took the seat of the one before


def test_one_process_answers_and_another_takes_over_when_it_ends(tmp_path: Path) -> None:
    port = servers.free_port()
    first, second = (PrometheusMetrics(tmp_path, "127.0.0.1", port) for _ in range(2))

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return bool(read(answer.read().decode())[WORKERS.name, ()] == 9)
        except OSError:
            return False

    first.set(WORKERS, 9)
    first.serve()
    workers.wait_until(answers, 30)
    second.serve()
    second.serve()
    first.close()
    workers.wait_until(answers, 30)
    second.close()
    assert not answers()


def test_counting_leaves_nothing_to_the_programs_a_process_starts(
    prometheus: PrometheusMetrics,
) -> None:
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
    prometheus.count(TASKS, task="media.text", outcome="succeeded")  # a series that wasn't there yet


@pytest.fixture(params=["memory", "otel"])
def traced(request: pytest.FixtureRequest) -> Iterator[tuple[Tracer, Callable[[], dict[str, str]]]]:
    """Give a tracer, and what tells the parents of all spans that ended, by name."""
    if request.param == "memory":
        memory = MemoryTracer()
        names = lambda: {s.span_id: s.name for s in memory.spans}  # noqa: E731
        yield (
            memory,
            lambda: {s.name: names().get(s.parent_id or "", s.parent_id or "") for s in memory.spans},
        )
        return
    exporter = InMemorySpanExporter()
    otel = OtelTracer("http://127.0.0.1:1", exporter=exporter)

    def parents() -> dict[str, str]:
        otel._provider.force_flush()
        spans = exporter.get_finished_spans()
        ids = {format(s.context.span_id, "016x"): s.name for s in spans}
        above = {s.name: format(s.parent.span_id, "016x") if s.parent else "" for s in spans}
        return {name: ids.get(parent, parent) for name, parent in above.items()}

    yield otel, parents
    otel.close()


Traced = tuple[Tracer, Callable[[], dict[str, str]]]


def test_spans_are_below_the_one_that_is_open_or_the_parent_that_is_named(traced: Traced) -> None:
    tracer, parents = traced
    with tracer.span("request", REMOTE, SpanKind.SERVER, route="/x", none=None) as span:
        span.tell(status=200)
        with tracer.span("step"):
            tracer.note("ffmpeg", tracer.context(), NOW, NOW + timedelta(seconds=3))
        kept = span.traceparent
    assert tracing.trace_id(kept) == tracing.trace_id(REMOTE)
    with tracer.span("task", kept, SpanKind.CONSUMER):
        pass
    assert parents() == {
        "request": REMOTE.split("-")[2],
        "step": "request",
        "ffmpeg": "step",
        "task": "request",
    }


def test_without_a_parent_a_span_begins_a_trace_and_a_note_is_nothing(traced: Traced) -> None:
    tracer, parents = traced
    assert tracer.context() is None
    with tracer.span("request") as span:
        assert tracing.trace_id(span.traceparent)
        assert tracer.context() == span.traceparent
    tracer.note("wait", None, NOW, NOW)
    assert parents() == {"request": ""}
    assert tracer.context() is None


def test_an_error_goes_on_through_a_span(traced: Traced) -> None:
    with pytest.raises(KeyError), traced[0].span("step"):
        raise KeyError
    assert traced[0].context() is None


@pytest.mark.parametrize(
    "parent", ["", "00-0-1-01", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "x" * 500]
)
def test_a_parent_that_cannot_be_read_begins_a_new_trace(traced: Traced, parent: str) -> None:
    assert tracing.trace_id(parent) is None
    with traced[0].span("request", parent) as span:
        assert tracing.trace_id(span.traceparent)
    assert traced[1]() == {"request": ""}


def test_what_is_off_gives_nothing_and_takes_everything() -> None:
    off, tracer = NoMetrics(), NoTracer()
    off.count(TASKS, task="x", outcome="y")
    off.observe(QUEUE_WAIT, 1.0, queue="x")
    off.set(WORKERS, 1)
    off.serve()
    with tracer.span("request", REMOTE) as span:
        assert span.traceparent is None
        assert tracer.context() is None


def test_a_collector_that_is_away_holds_nobody_up_for_long() -> None:
    tracer = OtelTracer(f"http://127.0.0.1:{servers.free_port()}")
    with tracer.span("request"):
        pass
    began = time.monotonic()
    tracer.close()
    assert time.monotonic() - began < 20  # far below what a stopping worker has on a machine at rest


def test_a_folder_that_cannot_be_written_to_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="folder"):
        PrometheusMetrics(tmp_path / "file", "127.0.0.1", 1)
