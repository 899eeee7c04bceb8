"""Scratch folders: one part for each process, swept when the process is gone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from nextstream.adapters.scratch import Scratch
from nextstream.errors import EncoderFailed, NextStreamError, ScratchFull
from nextstream.services import patience


def test_a_piece_has_a_folder_of_its_own_while_it_is_in_work(tmp_path: Path) -> None:
    scratch = Scratch(str(tmp_path))
    with scratch.folder(1000) as folder, scratch.folder() as other:
        Path(folder, "v720.mp4").write_bytes(b"frames")
        assert not Path(other, "v720.mp4").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_piece_that_would_not_fit_is_refused_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(ScratchFull) as caught, Scratch(str(tmp_path)).folder(10**18):
        pytest.fail("it began")
    assert caught.value.retryable


class Usage(NamedTuple):
    free: int


@pytest.mark.parametrize(("left_bytes", "error"), [(2**20, ScratchFull), (2**40, EncoderFailed)])
def test_an_encoder_that_fails_on_a_disk_that_filled_up_meanwhile_is_not_to_blame(
    left_bytes: int, error: type[NextStreamError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode() -> None:
        with Scratch(str(tmp_path)).folder():
            monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(left_bytes))
            raise EncoderFailed(detail="av_interleaved_write_frame(): No space left on device")

    with pytest.raises(error, match="No space left") as caught:
        encode()
    assert patience.passes(caught.value) == (error is ScratchFull)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_others_use_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from nextstream.adapters.scratch import Scratch\n"
        "with Scratch(sys.argv[1]).folder() as folder:\n"
        "    Path(folder, 'half.mp4').write_text('x'); print(flush=True); time.sleep(60)"
    )
    crowd = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in crowd:
        assert process.stdout
        process.stdout.readline()
    os.kill(crowd[0].pid, signal.SIGKILL)
    crowd[0].wait()
    Scratch(str(tmp_path))
    assert len(list(tmp_path.glob("*/half.mp4"))) == 1
    crowd[1].kill()
    crowd[1].wait()
    Scratch(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    for process in crowd:
        assert process.stdout
        process.stdout.close()
