"""Real processes under the supervisor: their log, their restarts and their ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from nextstream import supervisor as supervisors
from nextstream.supervisor import Program, Supervisor

Lines = list[tuple[str, str]]


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def supervisor(lines: Lines) -> Iterator[Supervisor]:
    made = Supervisor(lambda name, line: lines.append((name, line)))
    yield made
    made.stop_all()


def shell(script: str, name: str = "job", grace_s: float = 5) -> Program:
    return Program(name, ["bash", "-c", script], grace_s=grace_s)


def turn_until(supervisor: Supervisor, done: Callable[[], bool], wait_s: float = 10) -> None:
    deadline = time.monotonic() + wait_s
    while not done():
        assert time.monotonic() < deadline, "it didn't happen in time"
        supervisor.turn(0.05)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def wait_gone(*pids: int) -> None:
    deadline = time.monotonic() + 5
    while not all(map(is_gone, pids)):
        assert time.monotonic() < deadline, f"some of {pids} are left"
        time.sleep(0.02)


def test_each_line_of_either_stream_comes_with_its_programs_name(
    supervisor: Supervisor, lines: Lines
) -> None:
    supervisor.start(shell("echo one; echo two >&2; sleep 60", "a"))
    supervisor.start(shell("printf 'in '; sleep 0.1; echo pieces; sleep 60", "b"))
    turn_until(supervisor, lambda: len(lines) == 3)
    assert sorted(lines) == [("a", "one"), ("a", "two"), ("b", "in pieces")]


def test_a_program_that_dies_is_started_again_and_its_last_words_are_logged(
    supervisor: Supervisor, lines: Lines
) -> None:
    supervisor.start(shell("echo up; printf 'no newline'; exit 3"))
    turn_until(supervisor, lambda: lines.count(("job", "up")) == 2)
    assert lines[:3] == [
        ("job", "up"),
        ("job", "no newline"),
        ("job", "ended with code 3; starts again in 1 s"),
    ]


def test_each_death_doubles_the_pause_until_a_program_has_settled(
    supervisor: Supervisor, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pauses() -> list[str]:
        return [line.split()[-2] for _, line in lines]

    supervisor.start(shell("kill -9 $$"))
    turn_until(supervisor, lambda: len(lines) == 2)
    assert pauses() == ["1", "2"]
    assert lines[0][1].startswith("was ended by SIGKILL")
    monkeypatch.setattr(supervisors, "SETTLED_S", -1.0)
    turn_until(supervisor, lambda: len(lines) == 3)
    assert pauses() == ["1", "2", "1"]


def test_a_program_is_asked_before_it_is_forced(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(shell("trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.05; done"))
    turn_until(supervisor, lambda: bool(lines))
    supervisor.stop_all()
    assert lines == [("job", "up"), ("job", "bye")]


def test_a_program_that_will_not_end_is_killed_when_its_grace_is_over(
    supervisor: Supervisor, lines: Lines
) -> None:
    supervisor.start(shell("trap '' TERM; echo $$; while :; do sleep 0.05; done", grace_s=0.3))
    turn_until(supervisor, lambda: bool(lines))
    started = time.monotonic()
    supervisor.stop_all()
    assert 0.3 <= time.monotonic() - started < 3
    wait_gone(int(lines[0][1]))


def test_what_a_program_left_in_its_session_ends_with_it(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(shell("trap '' HUP; sleep 60 & echo $!; wait"))
    turn_until(supervisor, lambda: bool(lines))
    supervisor.stop_all()
    wait_gone(int(lines[0][1]))


def test_what_was_started_first_is_stopped_last(supervisor: Supervisor, lines: Lines) -> None:
    for name, pause in (("first", "0"), ("second", "0.3"), ("third", "0.1")):
        trap = f"trap 'sleep {pause}; echo bye; exit' TERM; echo up; while :; do sleep 0.05; done"
        supervisor.start(shell(trap, name))
    turn_until(supervisor, lambda: len(lines) == 3)
    supervisor.stop_all()
    assert [name for name, line in lines if line == "bye"] == ["third", "second", "first"]


@pytest.mark.parametrize("number", supervisors.STOP_SIGNALS)
def test_nothing_is_started_again_once_a_signal_came(
    supervisor: Supervisor, lines: Lines, number: signal.Signals
) -> None:
    before = [signal.getsignal(each) for each in supervisors.STOP_SIGNALS]
    try:
        supervisor.watch_signals()
        supervisor.start(shell("sleep 0.2; echo ended"))
        os.kill(os.getpid(), number)
        turn_until(supervisor, lambda: bool(lines))
        for _ in range(30):
            supervisor.turn(0.05)
        assert supervisor.stopping
        assert lines == [("job", "ended")]
    finally:
        for each, handler in zip(supervisors.STOP_SIGNALS, before, strict=True):
            signal.signal(each, handler)


def test_programs_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from nextstream.supervisor import Program, Supervisor\n"
        "made = Supervisor(lambda name, line: print(line, flush=True))\n"
        "made.start(Program('job', ['bash', '-c', 'echo $$; exec sleep 60']))\n"
        "while True: made.turn(0.1)\n"
    )
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": root}
    )
    assert process.stdout
    with process.stdout:
        pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    wait_gone(pid)
