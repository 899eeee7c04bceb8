"""Logs, as they leave a process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, threading, structlog
from nextstream import logs
from nextstream.settings import Settings
logs.configure(Settings(log_format="{form}"), "worker")
logs.configure(Settings(log_format="{form}"), "worker")
with structlog.contextvars.bound_contextvars(request_id="req-1"):
    structlog.get_logger().info("piece encoded", frames=144)
    logging.getLogger("library").warning("cable %s", "cut")
thread = threading.Thread(target=structlog.get_logger().info, args=("from a thread",))
thread.start()
thread.join()
structlog.get_logger().debug("too quiet")
"""


def logged(form: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM.format(form=form)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()


def test_every_line_has_its_process_level_and_time_whoever_wrote_it() -> None:
    lines = [json.loads(line) for line in logged("json")]
    assert [line["event"] for line in lines] == ["piece encoded", "cable cut", "from a thread"]
    assert [line["level"] for line in lines] == ["info", "warning", "info"]
    assert {line["process"] for line in lines} == {"worker"}
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_facts_and_the_request_are_fields_of_their_own() -> None:
    ours, theirs, _ = (json.loads(line) for line in logged("json"))
    assert (ours["frames"], ours["request_id"]) == (144, "req-1")
    assert theirs["request_id"] == "req-1"


@pytest.mark.parametrize("fact", ["piece encoded", "frames=144", "request_id=req-1"])
def test_people_get_the_same_facts_on_a_line(fact: str) -> None:
    assert fact in logged("text")[0]
