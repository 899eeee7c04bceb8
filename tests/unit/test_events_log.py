from __future__ import annotations

from datetime import UTC, datetime

import structlog

from nextstream.adapters.events_log import LogSink
from nextstream.domain.events import happen

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_each_event_is_one_line_of_the_log_in_order() -> None:
    events = [happen("video.ready", "a", NOW, rungs=5), happen("video.removed", "a", NOW)]
    with structlog.testing.capture_logs() as lines:
        assert LogSink().send(events) == [event.id for event in events]
    assert [(line["log_level"], line["type"], line["key"], line["data"]) for line in lines] == [
        ("info", "video.ready", "a", {"rungs": 5}),
        ("info", "video.removed", "a", {}),
    ]
