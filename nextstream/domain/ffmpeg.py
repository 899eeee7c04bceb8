"""Command lines for ffmpeg, and what its output means; nothing is run here."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ffmpeg

from nextstream.domain import codecs, reading, storyboard
from nextstream.domain.plan import Piece, Plan, Rung, Voice
from nextstream.domain.storyboard import Sheet

PICTURE_CPU_S = 10
# JPEG's colours are BT.601 in full range, whatever the video's are (JFIF 1.02).
_JFIF = {"out_color_matrix": "bt601", "out_range": "full"}

SEEK_BACK_S = 1  # start a second early: the keyframe before is decoded up to the first frame anyway


def picture(source: str, plan: Plan, piece: Piece, threads: int) -> Any:
    """Give the frames of a chunk as a stream of ffmpeg-python, before they are scaled.

    They are those of a whole decode, whatever chunk they are in: framemd5 says so on constant
    and variable rate sources with start offsets.
    """
    start_s = piece.first_frame / plan.rate
    return (
        ffmpeg.input(reading.name_input(source), **_seek(plan, start_s), threads=threads)[
            str(plan.source_video_index)
        ]
        # One grid for all chunks: earlier frames are dropped, gaps filled with the frame before.
        .filter("fps", fps=plan.rate, start_time=_decimal(start_s))
        # A source that ends a little early holds its last picture, as players do.
        .filter("tpad", stop_mode="clone", stop_duration=1)
        .filter("trim", end_frame=piece.frames)
        # Every chunk's file starts at 0, so that their init segments are the same.
        .filter("setpts", "PTS-STARTPTS")
    )


def encode_command(
    binary: str, source: str, plan: Plan, piece: Piece, folder: str, threads: int
) -> list[str]:
    """Build the ffmpeg call that decodes a chunk once and makes all its rungs.

    Each rung is `{folder}/{rung.name}.mp4`, fragmented, with times that start at 0; a sheet of the
    storyboard, where the piece has one, is `{folder}/storyboard.jpg`.
    """
    rungs = [rung for rung in plan.rungs if rung.name in piece.rungs]
    pictures = picture(source, plan, piece, threads).filter_multi_output("split", len(rungs))
    scaled = {rung.name: _scale(pictures.stream(n), rung) for n, rung in enumerate(rungs)}
    sheets = []
    if sheet := storyboard.sheet(plan, piece):
        smallest = storyboard.rung(plan).name
        shared = scaled[smallest].filter_multi_output("split", 2)
        scaled[smallest] = shared.stream(0)
        sheets = [_tile(shared.stream(1), plan, piece, sheet, folder)]
    outputs = [
        ffmpeg.output(
            scaled[rung.name],
            f"file:{folder}/{rung.name}.mp4",
            **codecs.video_options(plan, rung, threads),
        )
        for rung in rungs
    ]
    # Progress counts the frames of the first output, so the sheet is the last.
    return list(ffmpeg.merge_outputs(*outputs, *sheets).compile(cmd=_running(binary)))


def _scale(frames: Any, rung: Rung) -> Any:
    return (
        frames.filter("scale", rung.width, rung.height).filter("setsar", 1).filter("format", "yuv420p")
    )


def _tile(frames: Any, plan: Plan, piece: Piece, sheet: Sheet, folder: str) -> Any:
    """Make a chunk's sheet of what the smallest rung's scaler gives: no decode, and hardly any work."""
    width, height = storyboard.tile_size(plan)
    late = piece.first_frame % plan.tile_frames
    tiled = (
        frames.filter("select", f"not(mod(n+{late},{plan.tile_frames}))")
        .filter("scale", width, height, **_JFIF)
        .filter("format", "yuvj420p")
        .filter("tile", f"{sheet.columns}x{sheet.rows}", nb_frames=sheet.tiles)
    )
    return ffmpeg.output(tiled, f"file:{folder}/{storyboard.NAME}.jpg", **codecs.picture_options("jpg"))


def audio_command(binary: str, source: str, plan: Plan, voice: Voice) -> list[str]:
    """Build the ffmpeg call that writes a whole audio track to its standard output.

    Sound is encoded in one go: chunked AAC drifts by 41 ms at each joint.
    """
    sound = (
        ffmpeg.input(reading.name_input(source), **_seek(plan, Fraction(0)))[str(voice.source_index)]
        # Gaps are filled, and the track starts where the picture does.
        .filter("aresample", 48000, **{"async": 1}, first_pts=0)
        .filter("aformat", channel_layouts="stereo" if voice.channels == 2 else "5.1")
        # As long as the picture: every rendition has to cover the same time (HLS 8.3).
        .filter("apad")
        .filter("atrim", end=_decimal(plan.duration_s))
    )
    # No progress: it would be in the midst of the sound, whose frames tell how far it is.
    command = _running(binary, progress=False)
    return list(ffmpeg.output(sound, "pipe:1", **codecs.audio_options(voice)).compile(cmd=command))


def picture_command(
    binary: str, film: str, frame: int, size: tuple[int, int], form: str, folder: str
) -> list[str]:
    """Build the ffmpeg call that makes `{folder}/picture.{form}` of one frame of our own segments."""
    colours = _JFIF if form == "jpg" else {"out_color_matrix": "bt601", "out_range": "limited"}
    still = (
        # By their order: the edit list's times are for players that start at the beginning.
        ffmpeg.input(f"file:{film}", format="mov", ignore_editlist=1, threads=1)["v:0"]
        .filter("select", f"eq(n,{frame})")
        .filter("scale", *size, **colours)
        .filter("format", "yuvj420p" if form == "jpg" else "yuv420p")
    )
    call = ffmpeg.output(still, f"file:{folder}/picture.{form}", **codecs.picture_options(form))
    limit = ["-timelimit", str(PICTURE_CPU_S)]  # a picture is never worth more
    return list(call.compile(cmd=[*_running(binary), *limit]))


def text_command(binary: str, source: str, plan: Plan, folder: str) -> list[str]:
    """Build the ffmpeg call that takes all subtitles out of a source, `{folder}/{text.name}.vtt`.

    Their times are the source's own, so that none is below 0, which WebVTT can't say.
    """
    tracks = ffmpeg.input(reading.name_input(source), **reading.OPTIONS)
    outputs = [
        ffmpeg.output(
            tracks[str(text.source_index)],
            f"file:{folder}/{text.name}.vtt",
            **codecs.text_options(text.codec),
        )
        for text in plan.texts
    ]
    return list(ffmpeg.merge_outputs(*outputs).compile(cmd=_running(binary)))


def parse_progress(line: str) -> tuple[str, int] | None:
    """Read a line of -progress: frames done, or microseconds done (`frame`, `out_time_us`)."""
    name, _, value = line.strip().partition("=")
    if name in ("frame", "out_time_us") and value.lstrip("-").isdigit():
        return name, int(value)
    return None


def _running(binary: str, *, progress: bool = True) -> list[str]:
    return [
        binary,
        "-nostdin",  # a worker's terminal is not ffmpeg's
        "-hide_banner",
        *("-loglevel", "error"),  # the last lines become the failure's detail
        "-nostats",
        *(("-progress", "pipe:1") if progress else ()),
        "-y",
        "-copyts",  # the source's own clock, so that frames fall on the grid
    ]


def _seek(plan: Plan, start_s: Fraction) -> dict[str, Any]:
    """Give the input options that put frame 0 of the grid at time 0, and start just before `start_s`."""
    options: dict[str, Any] = dict(reading.OPTIONS, itsoffset=_decimal(-plan.origin_s))
    seek_s = plan.origin_s - plan.container_start_s + start_s - SEEK_BACK_S
    if start_s and seek_s > 0:
        # From the keyframe on, all frames reach the grid: it drops what is early, and has the
        # right one to repeat where a gap lies over the chunk's start.
        options |= {"ss": _decimal(seek_s), "noaccurate_seek": None}
    return options


def _decimal(seconds: Fraction | int) -> str:
    return f"{float(seconds):.6f}"


def last_lines(stderr: str, count: int = 20) -> str:
    """Give the end of ffmpeg's own words, for the operator."""
    return "\n".join(stderr.strip().splitlines()[-count:])
