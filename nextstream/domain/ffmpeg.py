"""Command lines for ffmpeg, and what its output means; nothing is run here."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import ffmpeg

from nextstream.domain import codecs, reading, storyboard, tiles, treatment
from nextstream.domain.colors import Step
from nextstream.domain.plan import Piece, Plan, Rung, Voice
from nextstream.domain.storyboard import Sheet

PICTURE_CPU_S = 10
# JPEG's colours are BT.601 in full range, whatever the video's are (JFIF 1.02).
_JFIF = {"out_color_matrix": "bt601", "out_range": "full"}


def picture(source: str, plan: Plan, piece: Piece, threads: int) -> Any:
    """Give the frames of a chunk as a stream of ffmpeg-python, upright and in SDR, before scaling.

    They are those of a whole decode, whatever chunk they are in: framemd5 says so on constant
    and variable rate sources with start offsets, interlaced ones and fast ones.
    """
    start_s = piece.first_frame / plan.rate
    read = ffmpeg.input(
        reading.name_input(source),
        **_seek(plan, start_s),
        threads=threads,
        **_turning(plan),
        reinit_filter=0,  # a picture that changes its size goes on counting frames; scalers follow it
    )
    frames = _whole(read, plan)
    if plan.picture and plan.picture.is_still:
        # What comes after it is the same in other forms: a gain map, a preview, a second eye.
        frames = frames.filter("trim", end_frame=1)
    frames = _treat(frames, treatment.before_grid(plan.picture) if plan.picture else ())
    if plan.picture and plan.origin_s + start_s >= plan.picture.end_s - 1 / plan.picture.rate:
        # Sound goes on after the picture: the last frame is brought to where the grid takes it up.
        frames = frames.filter("tpad", stop_mode="clone", stop=-1)
    return _treat(_on_grid(frames, plan, piece), _once(plan, piece))


def _whole(read: Any, plan: Plan) -> Any:
    """Give the source's picture, of all its tiles where it is stored in tiles."""
    grid = plan.picture.grid if plan.picture else None
    if grid is None:
        return read[str(plan.source_video_index)]
    parts: Any = [read[str(tile.index)] for tile in grid.tiles]
    for name, options in tiles.join(grid):
        parts = ffmpeg.filter(parts, name, **options)
    return parts


def _turning(plan: Plan) -> dict[str, Any]:
    """Leave it to ffmpeg to turn pictures only where they alone say how."""
    by_frames = plan.picture and plan.picture.is_turned_by_frames
    return {} if by_frames else {"noautorotate": None}  # it would turn fields before they are frames


def _black(plan: Plan, piece: Piece) -> Any:
    rung = _largest(plan, piece)
    black = f"color=black:size={rung.width}x{rung.height}:rate={plan.rate}"
    start_s = piece.first_frame / plan.rate
    stream = ffmpeg.input(black, format="lavfi", itsoffset=_decimal(start_s))
    return _on_grid(stream, plan, piece)


def _on_grid(frames: Any, plan: Plan, piece: Piece) -> Any:
    return (
        # One grid for all chunks: earlier frames are dropped, gaps filled with the frame before.
        frames.filter("fps", fps=plan.rate, start_time=_decimal(piece.first_frame / plan.rate))
        # A source that ends early, or is broken from here on, holds its last picture.
        .filter("tpad", stop_mode="clone", stop=-1)
        .filter("trim", end_frame=piece.frames)
        # Every chunk's file starts at 0, so that their init segments are the same.
        .filter("setpts", "PTS-STARTPTS")
    )


def _once(plan: Plan, piece: Piece) -> list[Step]:
    if plan.picture is None:
        return []
    rung = _largest(plan, piece)
    return treatment.after_grid(plan.picture, rung.width, rung.height)


def _largest(plan: Plan, piece: Piece) -> Rung:
    return max((r for r in plan.rungs if r.name in piece.rungs), key=lambda r: r.width * r.height)


def _treat(stream: Any, steps: Iterable[Step]) -> Any:
    for name, options in steps:
        stream = stream.filter(name, **options)
    return stream


def encode_command(
    binary: str, source: str | None, plan: Plan, piece: Piece, folder: str, threads: int
) -> list[str]:
    """Build the ffmpeg call that decodes a chunk once and makes all its rungs; black without a source.

    Each rung is `{folder}/{rung.name}.mp4`, fragmented, with times that start at 0; a sheet of the
    storyboard, where the piece has one, is `{folder}/storyboard.jpg`.
    """
    rungs = [rung for rung in plan.rungs if rung.name in piece.rungs]
    frames = picture(source, plan, piece, threads) if source else _black(plan, piece)
    pictures = frames.filter_multi_output("split", len(rungs))
    made = {rung.name: scaled(pictures.stream(n), plan, rung) for n, rung in enumerate(rungs)}
    sheets = []
    if sheet := storyboard.sheet(plan, piece):
        smallest = storyboard.rung(plan).name
        shared = made[smallest].filter_multi_output("split", 2)
        made[smallest] = shared.stream(0)
        sheets = [_tile(shared.stream(1), plan, piece, sheet, folder)]
    outputs = [
        ffmpeg.output(
            made[rung.name],
            f"file:{folder}/{rung.name}.mp4",
            **codecs.video_options(plan, rung, threads),
        )
        for rung in rungs
    ]
    # Progress counts the frames of the first output, so the sheet is the last.
    command = _running(binary, has_jumps=plan.has_jumps)
    return [*ffmpeg.merge_outputs(*outputs, *sheets).compile(cmd=command), *_bystanders(plan)]


def scaled(frames: Any, plan: Plan, rung: Rung) -> Any:
    """Give the frames of a chunk in the size of a rung, as they go into its encoder."""
    return _treat(frames, treatment.scale(plan.picture, rung.width, rung.height))


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
    made = ffmpeg.output(sound_of(source, plan, voice), "pipe:1", **codecs.audio_options(voice))
    # No progress: it would be in the midst of the sound, whose frames tell how far it is.
    command = _running(binary, progress=False, has_jumps=plan.has_jumps)
    return [*made.compile(cmd=command), *_bystanders(plan)]


def sound_of(source: str, plan: Plan, voice: Voice) -> Any:
    """Give a whole audio track as a stream of ffmpeg-python, as long as the picture is."""
    inputs = ffmpeg.input(reading.name_input(source), **_seek(plan, Fraction(0)))
    sound = inputs[str(voice.source_index)]
    if voice.mix:
        sound = sound.filter("pan", args=voice.mix)
    return (
        sound
        # Gaps are filled, and the track starts where the picture does.
        .filter("aresample", 48000, **{"async": 1}, first_pts=0, **_following(plan))
        .filter("aformat", channel_layouts="stereo" if voice.channels == 2 else "5.1")
        # As long as the picture: every rendition has to cover the same time (HLS 8.3).
        .filter("apad")
        .filter("atrim", end=_decimal(plan.duration_s))
    )


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
    """Build the ffmpeg call that takes all subtitles out of a source, `{folder}/{text.name}`.

    Their times are the source's own, so that none is below 0, which WebVTT can't say.
    """
    options = reading.OPTIONS | codecs.text_input(plan.texts)
    tracks = ffmpeg.input(reading.name_input(source), **options)
    outputs = [
        ffmpeg.output(
            tracks[str(text.source_index)],
            f"file:{folder}/{text.name}",
            **codecs.text_options(text.codec),
        )
        for text in plan.texts
    ]
    return list(ffmpeg.merge_outputs(*outputs).compile(cmd=_running(binary)))


def _following(plan: Plan) -> dict[str, float]:
    """Give how sound follows its times, which its samples may drift from, or lack a moment of.

    What is off by more than 50 ms is cut or filled; where a clock jumps, 20 ms, since files were joined,
    whose sounds overlap by a frame or so at each joint. From 10 ms on it is played up to half a percent
    faster or slower, which nobody hears; less than that is what the clocks of files are rounded by.
    """
    most_late_s = 0.02 if plan.has_jumps else 0.05
    return {"min_hard_comp": most_late_s, "min_comp": 0.01, "max_soft_comp": 0.005}


def _bystanders(plan: Plan) -> list[str]:
    """Give an output to nowhere of all tracks, where the clock jumps.

    ffmpeg mends a clock by the packets it reads: only with those of all tracks, each command mends
    it alike, and sound and picture stay together.
    """
    if not plan.has_jumps:
        return []
    indexes = [plan.source_video_index, *(voice.source_index for voice in plan.voices)]
    maps = [word for index in indexes if index is not None for word in ("-map", f"0:{index}")]
    return [*maps, "-c", "copy", "-f", "null", "-"]


def parse_progress(line: str) -> tuple[str, int] | None:
    """Read a line of -progress: frames done, or microseconds done (`frame`, `out_time_us`)."""
    name, _, value = line.strip().partition("=")
    if name in ("frame", "out_time_us") and value.lstrip("-").isdigit():
        return name, int(value)
    return None


def is_trouble(line: str) -> bool:
    """Tell warnings and errors from what ffmpeg says besides; the last become a failure's detail."""
    return "[verbose]" not in line and "[info]" not in line


def _running(binary: str, *, progress: bool = True, has_jumps: bool = False) -> list[str]:
    return [
        binary,
        "-nostdin",  # a worker's terminal is not ffmpeg's
        "-hide_banner",
        *("-loglevel", "level+verbose"),  # tells how many frames decoded; damage.Words counts them
        *reading.MEMORY,
        *("-max_error_rate", "1"),  # what decodes of a damaged source is worth having
        "-nostats",
        *(("-progress", "pipe:1") if progress else ()),
        "-y",
        # The source's own clock, so that frames fall on the grid; ffmpeg's where it jumps.
        *(() if has_jumps else ("-copyts",)),
    ]


def _seek(plan: Plan, start_s: Fraction) -> dict[str, Any]:
    """Give the input options that put frame 0 of the grid at time 0, and start just before `start_s`."""
    # Without -copyts ffmpeg's clock starts with the container's.
    origin_s = plan.origin_s - (plan.container_start_s if plan.has_jumps else 0)
    options: dict[str, Any] = dict(reading.OPTIONS, itsoffset=_decimal(-origin_s))
    at_s = plan.origin_s + start_s
    if plan.picture:
        at_s = min(at_s, plan.picture.end_s)  # after it there is nothing to decode
    seek_s = None if plan.run_up_s is None else at_s - plan.container_start_s - plan.run_up_s
    if start_s and seek_s is not None and seek_s > 0:
        # From the keyframe on, all frames reach the grid: it drops what is early, and has the
        # right one to repeat where a gap lies over the chunk's start.
        options |= {"ss": _decimal(seek_s), "noaccurate_seek": None}
    return options


def _decimal(seconds: Fraction | int) -> str:
    return f"{float(seconds):.6f}"
