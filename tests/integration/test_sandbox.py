"""Programs that read strangers' files see nothing else of the machine, and use up little of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from nextstream.adapters import processes, sandbox
from nextstream.adapters.encoder import REST_NICE, FfmpegEncoder
from nextstream.adapters.sandbox import Limits
from nextstream.domain import ladder, plan
from nextstream.domain.plan import Kind
from nextstream.errors import EncoderFailed, EncoderTimeout, SourceNotVideo
from nextstream.settings import Settings
from tests import sources
from tests.conftest import do_without

BASH = "/usr/bin/bash"  # stands for an ffmpeg that a source has taken over


def inside(script: str, *words: str, limits: Limits = processes.PROBING) -> str:
    """Run a script as ffmpeg is run, and give what it writes."""
    return "\n".join(processes.listen([BASH, "-c", script, *words], limits))


@pytest.fixture
def walls() -> None:
    if reason := sandbox.obstacle(BASH):
        do_without(f"bubblewrap can't be used: {reason}")


@contextmanager
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        yield server


def test_a_program_finds_no_credentials_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    assert "hidden" not in inside("cat /proc/self/environ; export -p")


@pytest.mark.usefixtures("walls")
def test_a_machine_that_was_too_busy_for_the_trial_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program, now_s = "/usr/bin/true", time.monotonic()
    monkeypatch.setattr(sandbox.time, "monotonic", lambda: now_s)
    with monkeypatch.context() as busy:
        busy.setattr(sandbox, "TRIAL_TIMEOUT_S", 0)
        assert "timed out" in str(sandbox.obstacle(program))
    assert "timed out" in str(sandbox.obstacle(program))  # not at each command
    now_s += sandbox.AGAIN_S
    assert sandbox.obstacle(program) is None
    assert sandbox.enclose([program, "-i", "file:/etc/hosts"])[0] != program


@pytest.mark.usefixtures("walls")
def test_a_program_sees_the_source_it_reads_and_no_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("the source")
    (tmp_path / "other").write_text("another's")
    script = f"cat {tmp_path}/source; cat {tmp_path}/other /etc/passwd; ls {tmp_path}; true"
    said = inside(script, "-i", f"file:{tmp_path}/source")
    assert said == "the sourcesource"


@pytest.mark.usefixtures("walls")
def test_a_program_can_write_into_its_scratch_folder_alone(tmp_path: Path) -> None:
    scratch, source = tmp_path / "scratch", tmp_path / "source"
    scratch.mkdir()
    source.write_text("as it was")
    script = f"echo made > {scratch}/rung.mp4; echo spoilt > {source}; true"
    inside(script, "-i", f"file:{source}", f"file:{scratch}/rung.mp4", limits=Limits())
    assert (scratch / "rung.mp4").read_text() == "made\n"
    assert source.read_text() == "as it was"


@pytest.mark.usefixtures("walls")
def test_a_program_reaches_the_network_only_where_its_source_is_a_url() -> None:
    with listener() as server:
        port = server.getsockname()[1]
        knock = f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo in; true"
        assert inside(knock, "-i", "file:/usr/bin/env") == ""
        with pytest.raises(TimeoutError):
            server.accept()
        assert inside(knock, "-i", f"http://127.0.0.1:{port}/source") == "in"


def test_without_bubblewrap_a_program_runs_with_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "obstacle", lambda _: "it is not installed")
    assert sandbox.enclose([BASH, "-c", "true"]) == [BASH, "-c", "true"]
    assert inside("ulimit -n; ulimit -c") == f"{processes.PROBING.files}\n0"


def test_a_program_steps_back_for_others_as_far_as_it_is_told() -> None:
    own = os.nice(0)
    assert inside("nice", limits=Limits(nice=3)) == str(own + 3)


@pytest.mark.usefixtures("walls")
def test_a_program_of_a_worker_shares_its_session_so_that_its_nice_counts() -> None:
    """One of a terminal gets a session of its own: it could push keys into the terminal."""
    script = (
        "import os\n"
        "from nextstream.adapters import processes, sandbox\n"
        f"with processes.started(['{BASH}', '-c', 'echo on; sleep 61'], sandbox.Limits()) as program:\n"
        "    program.stdout.readline()\n"
        "    import psutil\n"
        "    def find():\n"
        "        return [p for p in psutil.Process().children(True) if p.name() == 'sleep']\n"
        "    while not (inner := find()):\n"
        "        pass\n"
        "    (inner,) = inner\n"
        "    assert os.getsid(inner.pid) == os.getsid(0), (os.getsid(inner.pid), os.getsid(0))\n"
    )
    subprocess.run([sys.executable, "-c", script], start_new_session=True, check=True, timeout=60)


def test_all_other_pieces_step_back_for_the_opening_chunk(tmp_path: Path) -> None:
    source, own = str(sources.steady(tmp_path / "source.mp4", seconds=20)), os.nice(0)
    encoder = FfmpegEncoder(Settings(scratch_dir=tmp_path))
    found = encoder.probe(source, 1)
    assert found.video
    rungs = ladder.choose(found.video, (120,), found.video.rate, 30)
    made = plan.make(found, rungs, ladder.voices(found.audio), "ultrafast", 12)
    nices: list[int] = []

    def note(_: object) -> None:
        family = psutil.Process().children()
        nices[-1:] = [p.nice() - own for p in family if p.name().startswith(("bwrap", "ffmpeg"))]

    for piece in made.pieces:
        nices.append(-1)
        if piece.kind is Kind.VIDEO:
            list(encoder.encode(source, made, piece, note))
        else:
            list(map(note, encoder.encode_audio(source, made, made.voices[0])))
    assert nices == [0, REST_NICE, REST_NICE, REST_NICE]


def test_a_program_that_says_nothing_is_stopped_within_two_seconds_of_its_cancel() -> None:
    begun = time.monotonic()

    def cancel(_: int) -> None:
        if time.monotonic() - begun > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        processes.run([BASH, "-c", "sleep 60"], "frame", cancel)
    assert time.monotonic() - begun < 3
    assert not left_behind()


def test_a_program_is_killed_with_its_children() -> None:
    with pytest.raises(EncoderTimeout):
        processes.run([BASH, "-c", "sleep 61 & sleep 61"], "frame", lambda _: None, Limits(wall_s=1))
    assert not left_behind()


def left_behind() -> list[psutil.Process]:
    """Give the sleeping children of this process that a kill has not reached yet after a while."""
    children = psutil.Process(os.getpid()).children(recursive=True)
    _, alive = psutil.wait_procs([c for c in children if c.name() == "sleep"], timeout=10)
    return alive


def test_an_encode_without_progress_is_stopped() -> None:
    talk = "while true; do echo frame=7; sleep 0.1; done"
    with pytest.raises(EncoderTimeout, match="no progress"):
        processes.run([BASH, "-c", talk], "frame", lambda _: None, Limits(wall_s=60, stall_s=1))


def test_looking_at_a_source_ends_in_time() -> None:
    with pytest.raises(SourceNotVideo, match="took over"):
        list(processes.listen([BASH, "-c", "sleep 60"], Limits(wall_s=1)))


def test_no_file_grows_over_its_limit(tmp_path: Path) -> None:
    out = tmp_path / "out.nut"
    noise = ("-f", "lavfi", "-i", "testsrc2=size=640x480:rate=25:duration=30", "-c:v", "rawvideo")
    command = [sources.tools().ffmpeg, "-nostdin", "-y", *noise, f"file:{out}"]
    with pytest.raises(EncoderFailed):
        processes.run(command, "frame", lambda _: None, Limits(file_bytes=1_000_000))
    assert out.stat().st_size <= 1_000_000


def test_memory_and_processor_time_are_bounded() -> None:
    assert inside("ulimit -v; ulimit -t; ulimit -f").splitlines() == [
        str(processes.PROBING.memory_bytes // 1024),
        str(processes.PROBING.cpu_s),
        "0",
    ]


@pytest.mark.parametrize("size", [20_000, 200_000, 3_000_000])
def test_an_answer_of_one_long_line_is_heard_whole(size: int) -> None:
    script = f"printf '{{\"tag\": \"'; head -c {size} /dev/zero | tr '\\0' x; printf '\"}}'"
    assert processes.ask([BASH, "-c", script]) == {"tag": "x" * size}


@pytest.mark.parametrize(
    "script",
    [
        "printf '{\"streams\": ['",
        "printf '[%05000d]' 1",
        f"head -c {processes.ANSWER_BYTES + 1} /dev/zero",
    ],
)
def test_an_answer_that_is_no_json_or_too_long_is_of_no_video(script: str) -> None:
    with pytest.raises(SourceNotVideo):
        processes.ask([BASH, "-c", script])


def test_words_of_a_program_are_split_into_lines_and_long_ones_cut() -> None:
    script = "(printf 'one\\n\\ntwo\\n'; head -c 3000000 /dev/zero; printf '\\nfour') >&2"
    said: list[str] = []
    assert list(processes.listen([BASH, "-c", script], hear=said.append)) == []
    assert [len(line) for line in said] == [3, 0, 3, processes.HEARD_MAX, 4]
