"""What can be told of Celery's side without a broker: its settings, and the messages it would send."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from celery import Celery

import celeryconfig
from nextstream import queue, wiring
from nextstream.adapters.dispatch_celery import CeleryDispatcher
from nextstream.domain import scheduling
from nextstream.domain.plan import Kind
from nextstream.domain.webhooks import Delivery, Webhook
from tasks import platform, signals, upkeep
from tasks.celery import app

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MEDIA = {"media.probe", "media.encode", "media.audio", "media.text", "media.publish"}
UPKEEP = {
    "upkeep.relay",
    "upkeep.reconcile",
    "upkeep.purge",
    "upkeep.prune",
    "upkeep.fan_out",
    "upkeep.measure",
    "upkeep.scale",
}
NAMES = MEDIA | UPKEEP | {"webhooks.deliver", "upkeep.uploads", "uploads.fetch"}


@pytest.fixture(autouse=True, scope="module")
def imported() -> None:
    app.loader.import_default_modules()


def test_the_tasks_have_the_names_that_are_promised() -> None:
    assert {name for name in app.tasks if not name.startswith("celery.")} == NAMES
    assert {queue.task_name(kind) for kind in Kind} == MEDIA


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


def test_nothing_but_json_is_accepted() -> None:
    assert app.conf.accept_content == ["json"]
    assert {app.conf.task_serializer, app.conf.result_serializer} == {"json"}


def test_every_line_of_the_configuration_is_a_setting_of_celery() -> None:
    ours = {name for name in vars(celeryconfig) if name.islower() and not name.startswith("_")}
    known = app.conf.defaults[-1].keys() | {"include", "timezone"}
    assert ours - {"queue"} <= known


def test_a_worker_has_a_list_for_each_urgency_a_message_may_have() -> None:
    steps = app.conf.broker_transport_options["priority_steps"]
    assert steps == list(scheduling.URGENCIES)
    assert max(steps) <= 9  # kombu's highest


def test_all_that_grows_old_is_pruned_by_one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    here = wiring.in_memory()
    hook = Webhook("w", "ada", "https://a.example/", "whsec_x", ("*",), NOW)
    with here.database.transaction() as tx:
        tx.webhooks.add(hook)
        tx.webhooks.go_on(0, 9)
        tx.webhooks.send([Delivery("d", "w", 7, "e", "video.ready", NOW, NOW)])
    monkeypatch.setattr(platform, "current", lambda: here)
    assert (upkeep.prune(), upkeep.prune()) == (1, 0)


def test_a_shift_ends_for_a_worker_and_its_children_at_once_and_only_once() -> None:
    code = (
        "import os, time; from tasks import shift; me = shift.WorkerShift()\n"
        "assert me.left_s() is None\n"
        "if child := os.fork():\n"
        "    shift.end_in(60); shift.end_in(600); os._exit(os.waitpid(child, 0)[1])\n"
        "deadline = time.monotonic() + 20\n"
        "while me.left_s() is None and time.monotonic() < deadline: time.sleep(0.01)\n"
        "os._exit(0 if me.left_s() and 0 < me.left_s() <= 60 else 1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_worker_shows_that_it_lives_by_touching_a_file_where_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals.show_life()
    monkeypatch.setenv("NEXTSTREAM_ALIVE_FILE", str(tmp_path / "alive"))
    signals.show_life()
    assert (tmp_path / "alive").exists()
