"""All that is measured, by name; labels have few values, and never an id.

Names are Prometheus's way: base units, `_total` for what only grows. docs/operations.md says what
to do with them.
"""

from __future__ import annotations

from dataclasses import dataclass

# Seconds: of a request; of waiting and encoding; of a whole video.
QUICK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG_S = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
VIDEO_S = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0)
SPEEDS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)


@dataclass(frozen=True)
class Metric:
    """A metric's name, what it tells, and the labels each of its series has."""

    name: str
    doc: str
    labels: tuple[str, ...] = ()


class Counter(Metric):
    """Something that only grows."""


class Gauge(Metric):
    """Something that goes up and down."""


@dataclass(frozen=True)
class Histogram(Metric):
    """How often something was at most so large."""

    buckets: tuple[float, ...] = QUICK_S


HTTP_REQUESTS = Counter(
    "nextstream_http_requests_total", "Requests a service answered.", ("route", "method", "status")
)
HTTP_SECONDS = Histogram(
    "nextstream_http_request_seconds", "Until the answer began.", ("route", "method")
)
GATEWAY_REQUESTS = Counter(
    "nextstream_gateway_requests_total",
    "Requests that came to the gateway, by the service they are for.",
    ("service", "method", "status"),
)
GATEWAY_SECONDS = Histogram(
    "nextstream_gateway_request_seconds", "Until the answer began, at the gateway.", ("service",)
)
UPLOAD_BYTES = Counter("nextstream_upload_bytes_total", "Bytes of sources that came in.", ("way",))
PLAYBACK_BYTES = Counter("nextstream_playback_bytes_total", "Bytes promised to players.")
LOGINS_REFUSED = Counter(
    "nextstream_logins_refused_total", "Logins with a wrong password, or too many of them.", ("reason",)
)

QUEUE_MESSAGES = Gauge("nextstream_queue_messages", "Messages that no worker has taken.", ("queue",))
QUEUE_WAIT = Histogram(
    "nextstream_queue_wait_seconds", "From sending a message to its task.", ("queue",), LONG_S
)
TASKS = Counter("nextstream_tasks_total", "Tasks that ended, and how.", ("task", "outcome"))
TASK_SECONDS = Histogram("nextstream_task_seconds", "How long a task took.", ("task",), LONG_S)
BEATS = Counter("nextstream_beat_tasks_total", "Tasks that beat sent.", ("task",))

PIECES = Gauge("nextstream_pieces", "Pieces of work that aren't done, by state.", ("state",))
PIECES_DONE = Counter("nextstream_pieces_done_total", "Pieces of work that were done.", ("kind",))
PIECES_RETURNED = Counter(
    "nextstream_pieces_returned_total",
    "Claims that ended without a result: a retry, or where `final`, a failed video.",
    ("kind", "blame", "final"),
)
ENCODE_SPEED = Histogram(
    "nextstream_encode_speed_ratio", "Seconds of film encoded in a second.", ("kind",), SPEEDS
)
LEASES_LOST = Counter("nextstream_leases_lost_total", "Pieces whose worker was heard of no more.")
CLAIMS_LOST = Counter("nextstream_claims_lost_total", "Pieces that a worker found taken from it.")
WORKERS = Gauge("nextstream_workers", "Workers that take pieces.")
SLOTS = Gauge("nextstream_worker_slots", "Pieces that all workers can encode at once.")
SLOTS_BUSY = Gauge("nextstream_worker_slots_busy", "Pieces that are encoded just now.")

VIDEOS_READY = Counter("nextstream_videos_ready_total", "Videos that became ready.")
VIDEOS_FAILED = Counter("nextstream_videos_failed_total", "Videos that failed.", ("code",))
FIRST_PLAYABLE = Histogram(
    "nextstream_first_playable_seconds", "From a whole upload until it can be watched.", (), VIDEO_S
)
READY = Histogram("nextstream_ready_seconds", "From a whole upload until it is ready.", (), VIDEO_S)

OUTBOX_EVENTS = Gauge("nextstream_outbox_events", "Events that are to be sent to Kafka.")
OUTBOX_AGE = Gauge("nextstream_outbox_oldest_seconds", "Age of the oldest of them.")
EVENTS_SENT = Counter("nextstream_events_sent_total", "Events that Kafka took.")
WEBHOOKS_WAITING = Gauge("nextstream_webhook_deliveries_due", "Deliveries that are due.")
WEBHOOKS_AGE = Gauge("nextstream_webhook_oldest_due_seconds", "How long the oldest has been due.")
WEBHOOKS_SENT = Counter(
    "nextstream_webhook_deliveries_total", "Tries to deliver, and how they ended.", ("outcome",)
)

BACKEND_ERRORS = Counter(
    "nextstream_backend_errors_total", "Errors of the storage or database.", ("backend", "code")
)
STORAGE_SECONDS = Histogram(
    "nextstream_storage_operation_seconds", "How long the storage took.", ("operation",)
)
DATABASE_SECONDS = Histogram("nextstream_database_transaction_seconds", "How long transactions took.")
MEASURED_AT = Gauge(
    "nextstream_measured_timestamp_seconds", "When upkeep last measured queues, pieces and lags."
)

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
