"""What is measured, traced and logged of requests, at the gateway and in the services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture
from werkzeug.test import Client, TestResponse

import gateway
from nextstream import wiring
from nextstream.adapters.telemetry_memory import MemoryMetrics, MemoryTracer
from nextstream.domain.accounts import Role
from nextstream.domain.metrics import (
    GATEWAY_REQUESTS,
    GATEWAY_SECONDS,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    PLAYBACK_BYTES,
)
from nextstream.ports import Platform
from nextstream.services import accounts
from tests import pipeline, sources
from web import create_app

PASSWORD = "correct horse battery"
THEIRS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def seen() -> MemoryMetrics:
    return MemoryMetrics()


@pytest.fixture
def tracer() -> MemoryTracer:
    return MemoryTracer()


@pytest.fixture
def platform(seen: MemoryMetrics, tracer: MemoryTracer) -> Platform:
    return wiring.in_memory(metrics=seen, tracer=tracer)


def ask(
    platform: Platform, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> TestResponse:
    raw = {"RAW_URI": path}
    client = Client(gateway.create_app(platform))
    return client.open(path, method=method, headers=dict(headers or {}), environ_overrides=raw)


def test_requests_are_counted_by_their_route_and_never_by_what_is_in_it(
    platform: Platform, seen: MemoryMetrics
) -> None:
    for video_id in ("a1b2c3", "d4e5f6"):
        ask(platform, f"/v/{video_id}/master.m3u8")
    labels = {"route": "/v/<video_id>/master.m3u8", "method": "GET"}
    assert seen.value(HTTP_REQUESTS, status="404", **labels) == 2
    assert len(seen.values(HTTP_SECONDS, **labels)) == 2
    assert seen.value(GATEWAY_REQUESTS, service="streaming", method="GET", status="404") == 2


def test_what_has_no_route_and_odd_methods_are_one_series_each(
    platform: Platform, seen: MemoryMetrics
) -> None:
    for word in ("BREW", "POUR"):
        ask(platform, f"/no/{word}", word)
    assert seen.value(HTTP_REQUESTS, route="none", method="other", status="404") == 2
    assert seen.value(GATEWAY_REQUESTS, service="pages", method="other", status="404") == 2


def test_what_the_gateway_refuses_is_counted(platform: Platform, seen: MemoryMetrics) -> None:
    assert ask(platform, "/api/v1/videos").status_code == 401
    assert seen.value(GATEWAY_REQUESTS, service="streaming", method="GET", status="401") == 1
    assert len(seen.values(GATEWAY_SECONDS, service="streaming")) == 1


def test_a_service_is_below_the_gateway_in_a_trace(platform: Platform, tracer: MemoryTracer) -> None:
    ask(platform, "/login")
    service, front = tracer.spans
    assert (front.name, front.parent_id) == ("gateway GET pages", None)
    assert (service.name, service.parent_id) == ("GET /login", front.span_id)
    assert service.facts["http.response.status_code"] == 200
    assert front.facts["http.response.status_code"] == 200


@pytest.mark.parametrize(("hops", "believed"), [(0, False), (1, True)])
def test_only_a_trusted_hop_says_which_trace_a_request_is_a_part_of(
    platform: Platform, tracer: MemoryTracer, hops: int, believed: bool
) -> None:
    settings = replace(platform.settings, trusted_hops=hops)
    ask(replace(platform, settings=settings), "/login", headers={"traceparent": THEIRS})
    assert {THEIRS.split("-")[1] == span.trace_id for span in tracer.spans} == {believed}


def test_players_requests_are_counted_and_not_traced(
    platform: Platform, seen: MemoryMetrics, tracer: MemoryTracer
) -> None:
    ask(platform, "/v/a1b2c3/v1/v720/00001.m4s")
    assert seen.value(GATEWAY_REQUESTS, service="streaming", method="GET", status="404") == 1
    assert tracer.spans == []


def test_bytes_to_players_are_counted_whole_or_in_part(tmp_path: Path, seen: MemoryMetrics) -> None:
    source = sources.steady(tmp_path / "steady.mp4", seconds=2)
    platform, video = pipeline.transcode(source, tmp_path / "media")
    client = create_app(replace(platform, metrics=seen), "streaming").test_client()
    path = f"/v/{video.id}/v1/{video.renditions[0].name}/00001.m4s"
    whole = client.get(path)
    assert seen.value(PLAYBACK_BYTES) == len(whole.data) > 100
    client.get(path, headers={"Range": "bytes=0-99"})
    client.head(path)
    client.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert seen.value(PLAYBACK_BYTES) == len(whole.data) + 100


def test_each_line_of_a_request_names_its_video_and_trace(
    platform: Platform, tracer: MemoryTracer
) -> None:
    ada = accounts.add(platform, "ada", PASSWORD, Role.UPLOADER)
    client = create_app(platform, "auth", "upload", "streaming").test_client()
    login = client.post("/api/v1/auth/login", json={"name": ada.name, "password": PASSWORD})
    head = {"Authorization": f"Bearer {login.json['access_token']}", "X-Request-ID": "req-7"}
    capture = LogCapture()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
    video_id = client.put("/api/v1/uploads/clip.mp4", data=b"film", headers=head).json["id"]
    client.get(f"/api/v1/videos/{video_id}", headers=head)
    uploaded, put, got = capture.entries
    assert uploaded["event"] == "video uploaded"
    assert {line["video_id"] for line in (uploaded, put, got)} == {video_id}
    assert {line["request_id"] for line in (uploaded, put, got)} == {"req-7"}
    spans = {span.name: span.trace_id for span in tracer.spans}
    assert put["trace_id"] == uploaded["trace_id"] == spans["PUT /api/v1/uploads/<filename>"]
    assert got["trace_id"] == spans["GET /api/v1/videos/<video_id>"] != put["trace_id"]
    structlog.get_logger().info("after it")
    assert {"video_id", "trace_id", "request_id"}.isdisjoint(capture.entries[-1])


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/metrics"])
def test_the_gateway_never_leads_to_the_metrics(platform: Platform, path: str) -> None:
    assert ask(platform, path).status_code == 404


@pytest.mark.parametrize("url", ["", "http://flower:5555"])
def test_pages_lead_operators_to_flower_where_there_is_one(platform: Platform, url: str) -> None:
    settings = replace(platform.settings, flower_url=url)
    page = ask(replace(platform, settings=settings), "/").text
    # web/static/api.js shows the link to operators.
    assert ('<a href="/flower/" id="flower" hidden>Workers</a>' in page) == bool(url)
