"""Celery's settings, worked out from ours; each line has its reason beside it."""

from nextstream import queue
from nextstream.settings import Settings

_settings = Settings.read()

# --- Broker
broker_url = queue.broker_url(_settings.redis_url)  # one Redis, also an embedded one on a Unix socket
broker_transport_options = queue.transport(socket_timeout_s=30.0)  # shared with the senders
broker_connection_retry_on_startup = True  # workers may start before Redis does
broker_connection_max_retries = None  # and wait for it as long as it takes
task_ignore_result = True  # the database is the truth; a result could hold a slot while Redis is away

# --- Messages
task_serializer = "json"  # ids only, readable by anything
result_serializer = "json"  # the same
accept_content = ["json"]  # a pickle from a broken-into Redis would run code here
timezone = "UTC"  # as everything else
task_default_queue = queue.MEDIA  # so that `celery worker` without -Q encodes
task_create_missing_queues = True  # the queues need no declaration beyond their names
task_routes = {
    # Minutes long, one a slot; each message has its urgency from domain/scheduling.
    "media.*": {"queue": queue.MEDIA},
    "webhooks.*": {"queue": queue.WEBHOOKS},  # as slow as strangers' servers are
    "uploads.*": {"queue": queue.UPLOADS},  # hours of waiting for another server, no work for a core
    "upkeep.*": {"queue": queue.UPKEEP},  # milliseconds long, must never wait behind an encode
}

# --- Delivery: nothing is lost, and anything may run twice
task_acks_late = True  # a message is done with when its work is, not when it begins
task_reject_on_worker_lost = True  # a child that the kernel killed gives its message back
worker_prefetch_multiplier = 1  # no worker hoards pieces another one could encode now
worker_cancel_long_running_tasks_on_connection_loss = False  # the piece's claim stops a second run
task_time_limit = queue.LONGEST_TASK_S  # seconds; a hung encoder gives its slot back one day

# --- Workers
include = (  # imported when the app is complete
    "tasks.media",
    "tasks.uploads",
    "tasks.upkeep",
    "tasks.webhooks",
)
worker_concurrency = _settings.slots  # a piece uses the cores of its slot
worker_max_tasks_per_child = 200  # memory that a library leaks is given back now and then
worker_proc_alive_timeout = 60.0  # seconds; a loaded machine starts children slowly

# --- What operators see
task_track_started = True  # Flower tells running from waiting
worker_send_task_events = True  # Flower lives on them
task_send_sent_event = True  # Flower shows what waits in the queue too
worker_redirect_stdouts = False  # our log lines are complete as they are

# --- Beat
beat_schedule_filename = str(_settings.data_dir / "beat-schedule")  # beside the other state
beat_schedule = {
    "upkeep.prune": {
        "task": "upkeep.prune",
        "schedule": 3600.0,  # seconds; what is old may wait an hour more
        "options": {"expires": 3600.0},  # the next one does the same
    },
    "upkeep.fan_out": {
        "task": "upkeep.fan_out",
        "schedule": _settings.relay_every_s,  # as soon as Kafka hears of it
        "options": {"expires": 10 * _settings.relay_every_s},  # the next one does the same
    },
    "upkeep.relay": {
        "task": "upkeep.relay",
        "schedule": _settings.relay_every_s,  # seconds an event waits at most before it's sent
        "options": {"expires": 10 * _settings.relay_every_s},  # no backlog where no worker listens
    },
    "upkeep.reconcile": {
        "task": "upkeep.reconcile",
        "schedule": _settings.reconcile_every_s,  # seconds lost work waits beyond its lease
        "options": {"expires": 10 * _settings.reconcile_every_s},  # as above
    },
    "upkeep.measure": {
        "task": "upkeep.measure",
        # Seconds; several to each of Prometheus's looks. An hour where nobody looks.
        "schedule": 5.0 if _settings.metrics_port else 3600.0,
        "options": {"expires": 10.0},  # as above
    },
    "upkeep.purge": {
        "task": "upkeep.purge",
        "schedule": 5.0,  # seconds; nobody waits for it
        "options": {"expires": 50.0},  # as above
    },
    "upkeep.uploads": {
        "task": "upkeep.uploads",
        "schedule": 30.0,  # seconds a whole upload waits at most whose server was killed in between
        "options": {"expires": 60.0},  # as above
    },
}
if _settings.scaling_url:
    beat_schedule["upkeep.scale"] = {
        "task": "upkeep.scale",
        "schedule": _settings.scaling_every_s,  # as often as alarms look
        "options": {"expires": 2 * _settings.scaling_every_s},  # a load of long ago misleads
    }
