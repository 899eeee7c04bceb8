from __future__ import annotations

from nextstream.domain import reading

URL = "http://storage/source?signed"


def test_a_command_that_reads_a_url_is_told_to_insist_before_each_one() -> None:
    made = reading.over_network(["ffmpeg", "-ss", "3", "-i", URL, "-i", URL, "file:out.mp4"])
    assert made.count("-reconnect") == made.count("-i") == 2
    for at in (n for n, word in enumerate(made) if word == URL):
        assert made[at - 1] == "-i"
        assert made[at - 3] == "-recv_buffer_size"
    assert made[:3] == ["ffmpeg", "-ss", "3"]
    assert made[-1] == "file:out.mp4"


def test_a_url_may_stand_alone_at_the_end() -> None:
    made = reading.over_network(["ffprobe", "-show_streams", URL])
    assert made[:3] == ["ffprobe", "-show_streams", "-reconnect"]
    assert made[-1] == URL


def test_a_command_that_reads_files_stays_as_it_is() -> None:
    command = ["ffmpeg", "-i", "file:/clip.mp4", "file:out.mp4"]
    assert reading.over_network(command) == command


def test_a_line_about_a_signed_url_lets_nobody_fetch_it() -> None:
    line = "Error opening http://s3/media/source?X-Amz-Algorithm=A&X-Amz-Signature=9de6: Invalid data"
    assert reading.without_signature(line) == "Error opening http://s3/media/source: Invalid data"
    assert reading.without_signature("Is this a line?") == "Is this a line?"
