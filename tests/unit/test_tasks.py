"""What can be told of Celery's side without a broker: its settings, and the messages it would send."""

from __future__ import annotations

import pytest
from celery import Celery

import celeryconfig
from nextstream import queue
from nextstream.adapters.dispatch_celery import CeleryDispatcher
from nextstream.domain.plan import Kind, Piece
from tasks import media
from tasks.celery import app

NAMES = {
    "media.probe",
    "media.encode",
    "media.audio",
    "media.publish",
    "upkeep.relay",
    "upkeep.fan_out",
    "upkeep.prune",
    "webhooks.deliver",
}


@pytest.fixture(autouse=True, scope="module")
def imported() -> None:
    app.loader.import_default_modules()


def test_the_tasks_have_the_names_that_are_promised() -> None:
    assert {name for name in app.tasks if not name.startswith("celery.")} == NAMES
    assert queue.PROBE_TASK in NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_task_is_routed_to_the_queue_of_its_name(name: str) -> None:
    route = app.amqp.router.route({}, name)
    assert route["queue"].name == name.partition(".")[0]


def test_sender_and_workers_look_at_the_same_lists() -> None:
    sender: Celery = CeleryDispatcher("")._app
    for option in ("priority_steps", "sep", "visibility_timeout"):
        ours = app.conf.broker_transport_options[option]
        assert sender.conf.broker_transport_options[option] == ours


def test_no_task_may_run_as_long_as_redis_waits_before_it_delivers_again() -> None:
    assert app.conf.task_time_limit * 2 < app.conf.broker_transport_options["visibility_timeout"]


def test_no_delay_comes_near_the_time_after_which_redis_delivers_again() -> None:
    assert app.conf.broker_transport_options["visibility_timeout"] > media.LONGEST_BACKOFF_S * 10


def test_nothing_but_json_is_accepted() -> None:
    assert app.conf.accept_content == ["json"]
    assert {app.conf.task_serializer, app.conf.result_serializer} == {"json"}


def test_every_line_of_the_configuration_is_a_setting_of_celery() -> None:
    ours = {name for name in vars(celeryconfig) if name.islower() and not name.startswith("_")}
    known = app.conf.defaults[-1].keys() | {"include", "timezone"}
    assert ours - {"queue"} <= known


def test_waits_grow_stay_bounded_and_differ() -> None:
    waits = [[media.backoff_s(retries) for _ in range(50)] for retries in range(12)]
    assert max(waits[0]) <= media.BACKOFF_S
    assert all(0 <= wait <= media.LONGEST_BACKOFF_S for row in waits for wait in row)
    assert max(waits[11]) > 10 * max(waits[0])
    assert len(set(waits[11])) > 5


@pytest.mark.parametrize(
    ("piece", "task", "priority"),
    [
        (Piece("c0", Kind.VIDEO, 0, 144), "media.encode", queue.OPENING_PRIORITY),
        (Piece("c1", Kind.VIDEO, 144, 576), "media.encode", queue.REST_PRIORITY),
        (Piece("a0", Kind.AUDIO, voice="a0"), "media.audio", queue.OPENING_PRIORITY),
    ],
)
def test_what_watching_waits_for_is_encoded_first(piece: Piece, task: str, priority: int) -> None:
    made = media.signature("video", 1, piece)
    assert made.task == task
    assert made.args == ("video", 1, piece.name)
    assert made.options.get("priority", routed(task)) == priority


def routed(name: str) -> int:
    return app.amqp.router.route({}, name)["priority"]


def test_ending_a_video_comes_before_beginning_another() -> None:
    assert routed("media.publish") < routed("media.probe") < routed("media.audio")
    assert routed("media.audio") < routed("media.encode")
