"""What is measured and traced of videos and their work, where it happens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.database_measured import MeasuredDatabase
from nextstream.adapters.database_memory import MemoryDatabase
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.adapters.encoder_memory import MemoryEncoder
from nextstream.adapters.encoder_traced import TracedEncoder
from nextstream.adapters.events_memory import MemorySink
from nextstream.adapters.multipart_memory import MemoryMultipart
from nextstream.adapters.remote_memory import MemoryRemote
from nextstream.adapters.storage_measured import measured
from nextstream.adapters.storage_memory import MemoryStorage
from nextstream.adapters.telemetry_memory import MemoryMetrics, MemorySpan, MemoryTracer
from nextstream.domain import metrics
from nextstream.domain.accounts import Account, Role
from nextstream.domain.metrics import Counter, Histogram
from nextstream.domain.plan import PROBE
from nextstream.domain.video import Options
from nextstream.errors import (
    BadCredentials,
    BadRequest,
    DatabaseUnavailable,
    EncoderFailed,
    Misconfigured,
    ObjectNotFound,
    SourceNotVideo,
    StorageUnavailable,
    TooManyRequests,
)
from nextstream.ports import Parts, Platform, Presigning, SentPart, Task
from nextstream.services import (
    claims,
    encodes,
    fleet,
    imports,
    logins,
    measuring,
    operations,
    reconciling,
    resumable,
    transcoding,
    uploads,
    webhooks,
)
from nextstream.settings import Settings
from tests.workers import wait_until

ADA = Account("ada", "ada", "", Role.OPERATOR, HandClock().now())


@pytest.fixture
def seen() -> MemoryMetrics:
    return MemoryMetrics()


@pytest.fixture
def tracer() -> MemoryTracer:
    return MemoryTracer()


@pytest.fixture
def platform(seen: MemoryMetrics, tracer: MemoryTracer) -> Platform:
    encoder = TracedEncoder(MemoryEncoder(), tracer)
    return wiring.in_memory(clock=HandClock(), metrics=seen, tracer=tracer, encoder=encoder)


def upload(platform: Platform) -> str:
    return uploads.receive(platform, ADA, "clip.mp4", None, [b"film", b"more"], None).id


def advance(platform: Platform, seconds: float) -> None:
    assert isinstance(platform.clock, HandClock)
    platform.clock.advance(seconds)


def test_a_job_counts_its_bytes_pieces_and_speed_and_how_long_its_owner_waited(
    platform: Platform, seen: MemoryMetrics
) -> None:
    video_id = upload(platform)
    advance(platform, 30)
    video = transcoding.run(platform, video_id, 1, slots=1)
    assert seen.value(metrics.UPLOAD_BYTES, way="request") == 8
    chunks = [piece for piece in video.plan.pieces if piece.kind == "video"]
    assert seen.value(metrics.PIECES_DONE, kind="video") == len(chunks)
    assert len(seen.values(metrics.ENCODE_SPEED, kind="video")) == len(chunks)
    assert all(speed > 1 for speed in seen.values(metrics.ENCODE_SPEED, kind="video"))
    assert seen.values(metrics.FIRST_PLAYABLE) == [30]
    assert seen.values(metrics.READY) == [30]
    assert seen.value(metrics.VIDEOS_READY) == 1


def test_what_waits_is_measured_for_all_processes_at_once(
    platform: Platform, seen: MemoryMetrics
) -> None:
    upload(platform)
    fleet.note(platform, "w1", 3)
    webhooks.add(platform, ADA, "https://example.org/", ["video.*"])
    webhooks.fan_out(platform)
    advance(platform, 12)
    measuring.measure(platform)
    assert seen.value(metrics.PIECES, state="sent") == 1
    assert seen.value(metrics.PIECES, state="waiting") == 0
    assert (seen.value(metrics.WORKERS), seen.value(metrics.SLOTS)) == (1, 3)
    assert seen.value(metrics.QUEUE_MESSAGES, queue="media") == 1
    assert (seen.value(metrics.OUTBOX_EVENTS), seen.value(metrics.OUTBOX_AGE)) == (2, 12)
    assert (seen.value(metrics.WEBHOOKS_WAITING), seen.value(metrics.WEBHOOKS_AGE)) == (2, 12)
    assert seen.value(metrics.MEASURED_AT) == platform.clock.now().timestamp()


def test_a_queue_that_is_away_leaves_the_rest_measured(platform: Platform, seen: MemoryMetrics) -> None:
    dispatcher = MemoryDispatcher()
    dispatcher.away = True
    measuring.measure(replace(platform, dispatcher=dispatcher))
    assert seen.value(metrics.MEASURED_AT) > 0


def test_failures_are_counted_by_whose_they_are_and_what_they_end(seen: MemoryMetrics) -> None:
    encoder = MemoryEncoder()
    platform = wiring.in_memory(clock=HandClock(), metrics=seen, encoder=encoder)
    video_id = upload(platform)
    encoder.failing["video-00000"] = EncoderFailed()
    transcoding.run(platform, video_id, 1, slots=1)
    assert seen.value(metrics.PIECES_RETURNED, kind="video", blame="piece", final="false") == 1
    encoder.failing["probe"] = SourceNotVideo()
    transcoding.run(platform, upload(platform), 1, slots=1)
    assert seen.value(metrics.PIECES_RETURNED, kind="probe", blame="piece", final="true") == 1
    assert seen.value(metrics.VIDEOS_FAILED, code="source_not_video") == 1


def test_a_lease_that_ends_is_counted(platform: Platform, seen: MemoryMetrics) -> None:
    video_id = upload(platform)
    with platform.database.transaction() as tx:
        assert tx.pieces.claim(video_id, 1, "probe", "w1", platform.clock.now())
    for _ in range(3):
        advance(platform, 1)
        reconciling.reconcile(platform)
    assert seen.value(metrics.LEASES_LOST) == 1
    assert seen.value(metrics.PIECES_RETURNED, kind="probe", blame="worker", final="false") == 1


def test_refused_logins_are_counted_by_reason(platform: Platform, seen: MemoryMetrics) -> None:
    for _ in range(platform.settings.login_tries + 1):
        with pytest.raises((BadCredentials, TooManyRequests)):
            logins.log_in(platform, "ada", "wrong")
    with pytest.raises(TooManyRequests):
        logins.log_in(platform, "ada", "wrong")
    assert seen.value(metrics.LOGINS_REFUSED, reason="wrong") >= platform.settings.login_tries
    assert seen.value(metrics.LOGINS_REFUSED, reason="name_waits") >= 1


def test_what_kafka_took_is_counted(platform: Platform, seen: MemoryMetrics) -> None:
    upload(platform)
    assert operations.relay(platform) == seen.value(metrics.EVENTS_SENT) == 2


def test_a_storage_tells_its_time_and_its_errors_but_not_what_is_missing(seen: MemoryMetrics) -> None:
    class Away(MemoryStorage):
        def read(self, key: str) -> bytes:
            raise StorageUnavailable

    storage = measured(Away(), seen)
    storage.put("a", b"bytes", "text/plain")
    assert b"".join(storage.stream("a")) == b"bytes"
    with pytest.raises(ObjectNotFound):
        storage.head("b")
    with pytest.raises(StorageUnavailable):
        storage.read("a")
    parts = list(storage.multipart.append("c", Parts(), 4, [b"12345"]))
    assert storage.multipart.complete("c", parts[-1]).size_bytes == 5
    assert len(seen.values(metrics.STORAGE_SECONDS, operation="stream")) == 1
    assert len(seen.values(metrics.STORAGE_SECONDS, operation="append")) == 1
    errors = {code: seen.value(metrics.BACKEND_ERRORS, backend="storage", code=code) for code in CODES}
    assert errors == {"storage_unavailable": 1, "object_not_found": 0}


def test_a_measured_storage_can_presign_where_the_storage_can(seen: MemoryMetrics) -> None:
    class Signing(MemoryMultipart):
        def begin(self, key: str) -> Parts:
            return Parts(upload_id=key)

        def sign(self, key: str, parts: Parts, number: int, lifetime_s: int) -> str:
            return key

        def sent(self, key: str, parts: Parts) -> list[SentPart]:
            return []

    plain, signs = MemoryStorage(), MemoryStorage()
    signs.multipart = Signing(signs)
    assert not isinstance(measured(plain, seen).multipart, Presigning)
    multipart = measured(signs, seen).multipart
    assert isinstance(multipart, Presigning)
    assert multipart.begin("k") == Parts(upload_id="k")


CODES = ("storage_unavailable", "object_not_found")


def test_a_database_tells_its_time_and_when_it_is_away(seen: MemoryMetrics) -> None:
    database = MeasuredDatabase(MemoryDatabase(), seen)
    with database.transaction() as tx:
        assert tx.accounts.count() == 0
    with database.reading() as tx:
        assert tx.accounts.count() == 0
    with pytest.raises(DatabaseUnavailable), database.transaction():
        raise DatabaseUnavailable
    with pytest.raises(BadRequest), database.transaction():
        raise BadRequest
    assert len(seen.values(metrics.DATABASE_SECONDS)) == 2
    assert seen.value(metrics.BACKEND_ERRORS, backend="database", code="database_unavailable") == 1


# Traces.


def below(tracer: MemoryTracer, parent: MemorySpan) -> list[str]:
    return [span.name for span in tracer.spans if span.parent_id == parent.span_id]


def test_a_job_is_one_trace_from_its_request_to_its_last_event(
    seen: MemoryMetrics, tracer: MemoryTracer
) -> None:
    sink = MemorySink()
    encoder = TracedEncoder(MemoryEncoder(), tracer)
    platform = wiring.in_memory(metrics=seen, tracer=tracer, encoder=encoder, sink=sink)
    with tracer.span("request") as request:
        video_id = upload(platform)
    (message,) = platform.dispatcher.sent
    assert message.traceparent == request.traceparent
    with tracer.span("task", message.traceparent) as task:
        for piece in transcoding.probe(platform, video_id, 1, "w1"):
            transcoding.encode(platform, video_id, 1, piece.name, "w1")
        transcoding.publish(platform, video_id, 1, "w1")
    operations.relay(platform)
    assert {span.trace_id for span in tracer.spans} == {request.trace_id}
    assert {"ffprobe", "write manifests", "send video.ready"} <= set(below(tracer, task))
    assert {"task", "send video.created", "send video.uploaded"} <= set(below(tracer, request))
    ready = next(event for event in sink.events if event.type == "video.ready")
    assert ready.body()["traceparent"] == task.traceparent


def test_a_file_that_is_fetched_is_a_step_of_the_request_that_named_it(
    seen: MemoryMetrics, tracer: MemoryTracer
) -> None:
    remote = MemoryRemote()
    remote.files["https://a.example/clip.mp4"] = b"film"
    platform = wiring.in_memory(metrics=seen, tracer=tracer, remote=remote)
    platform = replace(platform, settings=replace(platform.settings, imports=True))
    with tracer.span("request") as request:
        upload = imports.begin(platform, ADA, "https://a.example/clip.mp4", resumable.Wish(None))
    imports.fetch(platform, upload.id, last_try=False)
    assert "fetch" in below(tracer, request)
    assert platform.dispatcher.sent[0].traceparent == request.traceparent
    assert seen.value(metrics.UPLOAD_BYTES, way="parts") == 4


def test_a_delivery_to_a_webhook_is_a_step_of_its_events_trace(
    platform: Platform, seen: MemoryMetrics, tracer: MemoryTracer
) -> None:
    hook = webhooks.add(platform, ADA, "https://example.org/", ["video.created"])
    with tracer.span("request") as request:
        upload(platform)
    webhooks.fan_out(platform)
    webhooks.deliver(platform, hook.id)
    assert "deliver video.created" in below(tracer, request)
    assert seen.value(metrics.WEBHOOKS_SENT, outcome="delivered") == 1


def test_a_reencode_is_a_trace_of_its_own(platform: Platform, tracer: MemoryTracer) -> None:
    with tracer.span("request") as first:
        video_id = upload(platform)
    transcoding.run(platform, video_id, 1, slots=1)
    with tracer.span("request") as second:
        encodes.reencode(platform, ADA, video_id, Options())
    origins = [message.traceparent for message in platform.dispatcher.sent]
    assert origins[0] == first.traceparent
    assert origins[-1] == second.traceparent


def test_an_event_outside_a_trace_has_no_traceparent(platform: Platform) -> None:
    upload(platform)
    with platform.database.transaction() as tx:
        assert "traceparent" not in tx.outbox.unsent(1)[0].event.body()


def test_what_is_off_is_not_even_imported() -> None:
    code = (
        "import sys, tempfile; from nextstream import wiring; from nextstream.settings import Settings\n"
        "from pathlib import Path; import web, gateway, tasks.celery, tasks.media\n"
        # redis-py looks at the SDK's metrics wherever it is installed.
        "OURS = ('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'prometheus_client')\n"
        "wiring.build(Settings(data_dir=Path(tempfile.mkdtemp())))\n"
        "found = [name for name in sys.modules if name.startswith(OURS)]\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_tracing_without_the_sdk_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nextstream.adapters.telemetry_otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(Misconfigured, match=r"requirements-tracing\.txt"):
        wiring.in_memory(settings=Settings(database_url=wiring.MEMORY, tracing_url="http://127.0.0.1:1"))


def test_a_claims_heartbeat_logs_under_its_task(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(MemoryDatabase):
        @contextmanager
        def transaction(self) -> Iterator[Any]:
            raise DatabaseUnavailable
            yield

    monkeypatch.setattr(claims, "BEAT_EVERY_S", 0.01)
    capture = LogCapture()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
    with structlog.contextvars.bound_contextvars(task_id="t1", video_id="v1"):
        claim = claims.Claim(replace(platform, database=Away()), Task("v1", 1, PROBE))
    claim.start()
    wait_until(lambda: bool(capture.entries), 30)
    claim.end()
    line = capture.entries[0]
    assert (line["event"], line["task_id"], line["video_id"]) == ("no heartbeat", "t1", "v1")


# Names.


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda metric: metric.name)
def test_names_follow_prometheus_conventions_and_labels_are_no_ids(metric: metrics.Metric) -> None:
    assert metric.name.startswith("nextstream_")
    assert metric.name.endswith("_total") == isinstance(metric, Counter)
    assert not {label for label in metric.labels if label == "id" or label.endswith("_id")}
    if isinstance(metric, Histogram):
        assert metric.name.endswith(("_seconds", "_bytes", "_ratio"))
        assert list(metric.buckets) == sorted(metric.buckets)
