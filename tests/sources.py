"""Makes small sources with real ffmpeg: constant and variable rates, start offsets, odd shapes."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from nextstream.adapters.toolchain import Toolchain
from nextstream.settings import Settings


@cache
def tools() -> Toolchain:
    return Toolchain.find(Settings())


def run(*arguments: str | Path | float) -> str:
    """Run ffmpeg, and give what it writes to stdout."""
    command = [tools().ffmpeg, "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def steady(
    path: Path,
    *,
    seconds: float = 10,
    rate: str = "24",
    size: str = "320x180",
    picture_s: float | None = None,
) -> Path:
    """Make moving pictures of a constant rate with a tone, which may be longer than they are."""
    run(
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={picture_s or seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "100", "-c:a", "aac"),
        *("-pix_fmt", "yuv420p", path),
    )
    return path


def variable(path: Path, *, seconds: float = 40, offset_s: float = 7.3) -> Path:
    """Make pictures of a variable rate, with a gap of over 3 s, that start late."""
    still = path.with_name(f"still-{path.name}")
    drop = "select='gt(random(1),0.3)*(lt(t,20)+gt(t,23.3))'"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=30:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"),
        *("-vf", drop, "-fps_mode", "vfr"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "45", "-c:a", "aac"),
        *("-pix_fmt", "yuv420p", still),
    )
    run("-i", still, "-c", "copy", "-output_ts_offset", offset_s, path)
    return path


def interlaced(
    path: Path,
    *,
    seconds: float = 10,
    fields: str = "tff",
    tagged: bool = True,
    codec: str = "libx264",
) -> Path:
    """Make PAL's pictures of two fields, told or not told to be so."""
    flags = ("-flags", "+ilme+ildct") if tagged else ()
    told = "" if tagged else ",setfield=prog"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=size=128x576:rate=50:duration={seconds}"),
        *("-vf", f"interlace=scan={fields}{told}", *flags),
        *("-c:v", codec, "-preset", "ultrafast", "-g", "60", "-bf", "2"),
        *("-pix_fmt", "yuv420p", path),
    )
    return path


def coded(path: Path, parameters: str, *, seconds: float = 40) -> Path:
    """Make wide pictures with parameters of x264."""
    run(
        *("-f", "lavfi", "-i", f"testsrc2=size=1920x128:rate=25:duration={seconds}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", parameters),
        *("-pix_fmt", "yuv420p", path),
    )
    return path


def sound(path: Path, *, seconds: float = 15) -> Path:
    """Make a tone without a picture."""
    run("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}", "-c:a", "aac", path)
    return path


def silent(path: Path, *, seconds: float = 8) -> Path:
    """Make pictures without sound."""
    run(
        *("-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=25:duration={seconds}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", path),
    )
    return path


def anamorphic(path: Path, *, seconds: float = 9) -> Path:
    """Make PAL's wide pictures: 720x576 that are shown as 1024x576."""
    run(
        *("-f", "lavfi", "-i", f"testsrc2=size=720x576:rate=25:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"),
        *("-vf", "setsar=64/45", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", path),
    )
    return path


SUBRIP = """1
00:00:01,000 --> 00:00:03,500
Hello <i>there</i>

2
00:00:09,000 --> 00:00:11,000
<font color="red">Second</font> line
"""

CHAPTERS = """;FFMETADATA1
[CHAPTER]
TIMEBASE=1/1000
START=0
END=6000
title=Opening
[CHAPTER]
TIMEBASE=1/1000
START=6000
END=13000
title=The rest
"""


def rich(
    path: Path, *, seconds: float = 13, rate: str = "24", size: str = "320x180", offset_s: float = 0
) -> Path:
    """Make 5.1 sound in English and, by default, stereo in German; three subtitles; two chapters."""
    subtitles, chapters = path.with_suffix(".srt"), path.with_suffix(".txt")
    subtitles.write_text(SUBRIP)
    chapters.write_text(CHAPTERS)
    surround = "[1:a]pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0[surround]"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=880:duration={seconds}"),
        *("-i", subtitles, "-i", chapters, "-filter_complex", surround),
        *("-map", "0:v", "-map", "[surround]", "-map", "2:a", "-map", "3", "-map", "3", "-map", "3"),
        *("-map_chapters", "4", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "100"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", "-c:s:0", "srt", "-c:s:1", "ass", "-c:s:2", "webvtt"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger"),
        *(
            "-disposition:a:0",
            "0",
            "-disposition:a:1",
            "default",
            "-disposition:s:1",
            "hearing_impaired",
        ),
        *("-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fre"),
        *("-metadata:s:s:2", "language=ger", "-t", seconds, "-output_ts_offset", offset_s, path),
    )
    return path


def bare_webvtt(path: Path) -> Path:
    """Make Matroska with WebVTT as its specification has it, which ffmpeg can't write.

    Another text's codec and header are replaced in place, so each cue is a line of SubStation Alpha.
    """
    subtitles = path.with_suffix(".srt")
    subtitles.write_text("1\n00:00:00,500 --> 00:00:01,500\nHello\n")
    run(
        *("-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=2", "-i", subtitles),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:s", "ass"),
        *("-metadata:s:s:0", "language=ger", "-write_crc32", "0", path),
    )
    made = path.read_bytes()
    private = made.index(b"[Script Info]")
    size = int.from_bytes(made[private - 2 : private]) - 0x4000  # RFC 8794, 4: in two bytes
    name, header = b"S_TEXT/WEBVTT", b"WEBVTT"
    spare = len(name) - len(b"S_TEXT/ASS")
    short = (0x4000 + size - spare).to_bytes(2) + header.ljust(size - spare, b"\n")
    made = made[: private - 2] + short + made[private + size :]
    old = b"\x86\x8aS_TEXT/ASS"
    path.write_bytes(made.replace(old, b"\x86" + bytes([0x80 + len(name)]) + name))
    return path


def count_frames(path: Path | str) -> int:
    """Count the frames ffmpeg decodes of the first video track."""
    listed = run("-i", path, "-map", "0:v:0", "-f", "framemd5", "-")
    return sum(not line.startswith("#") for line in listed.splitlines())
