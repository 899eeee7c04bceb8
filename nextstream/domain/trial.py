"""A short decode of a source before its plan: which tracks really decode, and is it interlaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from nextstream.domain import reading, tracks
from nextstream.domain.source import SourceInfo, VideoTrack
from nextstream.errors import MediaError, SourceEmpty, SourceTooLarge

VIDEO_FRAMES = 3
AUDIO_FRAMES = 20  # so that a sound that was taken for another codec's shows errors
PATIENT_FRAMES = 300  # of one track alone, where the first few gave more errors than frames
WINDOW_S = 20  # a track that starts later is looked for in the whole source
SHOWING = ("-vf", "showinfo=checksum=0")  # what a frame says beside its picture
IDET_FRAMES = 40
IDET_LEAST = 10  # fewer frames that are told one way or the other prove nothing

# What cameras and broadcasters record in fields, and at which heights.
_FIELD_CODECS = frozenset(
    [
        "h264",
        "mpeg2video",
        "mpeg1video",
        "mpeg4",
        "vc1",
        "wmv3",
        "dvvideo",
        "prores",
        "dnxhd",
        "ffv1",
        "huffyuv",
        "utvideo",
        "rawvideo",
        "v210",
        "mjpeg",
        "hevc",
    ]
)
_FIELD_HEIGHTS = frozenset({480, 486, 512, 576, 608, 1080, 1088})
_FIELD_RATES = (Fraction(24), Fraction(61, 2))  # 25 and 29.97 frames of two fields

_DECODED = re.compile(r"Input stream #0:(\d+) .*?(\d+) packets read .*?(\d+) frames decoded(.*)")
_ERRORS = re.compile(r"(\d+) decode errors")
_IDET = re.compile(r"Multi frame detection: TFF:\s*(\d+) BFF:\s*(\d+) Progressive:\s*(\d+)")


_SHAPE = re.compile(r"input from stream 0:(\d+) .* w:(\d+) h:(\d+) pixfmt:(\w+) .*sar:(\d+)/(\d+)")
_RATE = re.compile(r"input from stream 0:(\d+) .* fr:(\d+)/(\d+)")

_TURNED = re.compile(r"showinfo.* displaymatrix: rotation of (-?\d+)\.00 degrees")
_TURNED_WHOLE = re.compile(r"Display Matrix: rotation of (-?\d+)\.00 degrees")

_FIELDS = re.compile(r"showinfo.* i:([PTB]) ")

_UNOPENED = re.compile(r"\[[av]ist#0:(\d+)/.*Error while opening decoder")

_TOO_LARGE = ("max pixel count", "Picture size")


@dataclass(frozen=True)
class Decoded:
    """What came of a track's packets."""

    packets: int
    frames: int
    errors: int = 0

    @property
    def is_sound(self) -> bool:
        """Tell a track that decodes from noise that was taken for one."""
        return self.frames > 0 and self.frames >= self.errors


def command(binary: str, source: str, info: SourceInfo, window_s: int | None = WINDOW_S) -> list[str]:
    """Build the ffmpeg call that decodes the first frames of every track, for `parse`.

    Without a window the whole source is looked through, and more of its frames.
    """
    window = () if window_s is None else ("-t", str(window_s))
    outputs: list[str] = []
    if info.video:
        frames = VIDEO_FRAMES if window else PATIENT_FRAMES
        outputs += _nowhere(info.video.index, "-frames:v", frames, SHOWING)
    for track in info.audio:
        outputs += _nowhere(track.index, "-frames:a", AUDIO_FRAMES if window else PATIENT_FRAMES)
    return [*calling(binary), *window, *reading_of(source), *outputs]


def _nowhere(index: int, option: str, frames: int, filters: Sequence[str] = ()) -> list[str]:
    return ["-map", f"0:{index}", *filters, option, str(frames), "-f", "null", "-"]


def parse(words: Iterable[str]) -> dict[int, Decoded]:
    """Read what ffmpeg says at the end of each stream, by the stream's index."""
    found = (match for line in words if (match := _DECODED.search(line)))
    return {
        int(m[1]): Decoded(int(m[2]), int(m[3]), int(e[1]) if (e := _ERRORS.search(m[4])) else 0)
        for m in found
    }


def unopened(words: Iterable[str]) -> int | None:
    """Give the index of a stream whose decoder ffmpeg couldn't open, for which it gave all others up."""
    return next((int(match[1]) for line in words if (match := _UNOPENED.search(line))), None)


def without(info: SourceInfo, index: int) -> SourceInfo:
    """Give a source without one of its tracks."""
    video = info.video if info.video and info.video.index != index else None
    return replace(info, video=video, audio=tuple(t for t in info.audio if t.index != index))


def fill(track: VideoTrack, words: Iterable[str]) -> VideoTrack:
    """Give a track with what its first decoded frame says where ffprobe, without its decoder, can't."""
    shapes = {int(m[1]): m.groups()[1:] for line in words if (m := _SHAPE.search(line))}
    if (track.width and track.pixel_format) or track.index not in shapes:
        return track
    width, height, pixel_format, *sar = shapes[track.index]
    aspect = Fraction(int(sar[0]) or 1, int(sar[1]) or 1)
    size = tracks.square(int(width), int(height), aspect)
    width_px, height_px = size[::-1] if track.turned % 180 else size
    return replace(track, width=width_px, height=height_px, pixel_format=pixel_format)


def turn(track: VideoTrack, words: Sequence[str]) -> VideoTrack:
    """Give a track with what its first frames alone say of how they are to be turned, as EXIF does.

    Of a picture of tiles ffmpeg alone, and not ffprobe, says how the whole is to be turned.
    """
    if track.grid:
        return _turn_whole(track, words)
    angle = next((int(match[1]) for line in words if (match := _TURNED.search(line))), None)
    if angle is None or angle % 90 or track.turned or track.mirrored:
        return track
    return replace(_across(track, angle), is_turned_by_frames=True)


def settle_rate(track: VideoTrack, words: Iterable[str]) -> VideoTrack:
    """Give a track with the rate that its decoder found, which is what ffmpeg times bare frames by."""
    for line in words:
        if (match := _RATE.search(line)) and int(match[1]) == track.index:
            rate = tracks.ratio(f"{match[2]}/{match[3]}", Fraction(0))
            if 1 <= rate <= tracks.FASTEST:
                return replace(track, rate=rate * (2 if track.fields else 1))
    return track


def interlace(track: VideoTrack, words: Iterable[str]) -> VideoTrack:
    """Give a track whose fields are as most of its first frames say; where they don't, as headers do."""
    told = "".join(match[1] for line in words if (match := _FIELDS.search(line)))
    top, bottom = told.count("T"), told.count("B")
    if 2 * (top + bottom) <= len(told):
        return track
    return with_fields(track, "tff" if top >= bottom else "bff")


def with_fields(track: VideoTrack, fields: str) -> VideoTrack:
    """Give a track of which that field comes first, and whose rate counts fields."""
    return replace(track, fields=fields, rate=track.rate if track.fields else 2 * track.rate)


def _turn_whole(track: VideoTrack, words: Sequence[str]) -> VideoTrack:
    in_group, angle = False, 0
    for line in words:
        in_group = "Tile Grid" in line or (in_group and "Stream #" not in line)
        if in_group and (match := _TURNED_WHOLE.search(line)):
            angle = int(match[1])
            break
    return replace(_across(track, angle), turned=-angle % 360)


def _across(track: VideoTrack, angle: int) -> VideoTrack:
    """Give a track with its sides exchanged, if it is to be turned by a right angle."""
    return replace(track, width=track.height, height=track.width) if angle % 180 else track


def may_be_interlaced(track: VideoTrack) -> bool:
    """Tell whether a picture that isn't tagged as interlaced could be so all the same."""
    least, most = _FIELD_RATES
    return (
        not track.fields
        and not track.turned  # phones don't record fields
        and track.codec in _FIELD_CODECS
        and track.height in _FIELD_HEIGHTS
        and least < track.rate < most
        and not track.color.is_hdr
    )


def idet_command(binary: str, source: str, info: SourceInfo) -> list[str]:
    """Build the ffmpeg call that looks at frames a quarter into a source, for `parse_idet`."""
    seek = ("-ss", f"{float(info.duration_s) / 4:.3f}") if info.is_seekable else ()
    index = info.video.index if info.video else 0
    out = ("-map", f"0:{index}", "-frames:v", str(IDET_FRAMES), "-vf", "idet", "-f", "null", "-")
    return [*calling(binary), *seek, *reading_of(source), *out]


def parse_idet(words: Sequence[str]) -> str:
    """Give `tff` or `bff` where nearly all frames are interlaced that way, else nothing."""
    counts = [tuple(map(int, m.groups())) for line in words if (m := _IDET.search(line))]
    if not counts:
        return ""
    top, bottom, progressive = counts[-1]
    most = max(top, bottom)
    if most < IDET_LEAST or most < 9 * (top + bottom + progressive - most):
        return ""
    return "tff" if top > bottom else "bff"


def explain(words: Iterable[str]) -> MediaError:
    """Give the error behind what ffmpeg says of a source of which nothing decodes."""
    for line in words:
        if any(said in line for said in _TOO_LARGE):
            return SourceTooLarge(detail=line)
    return SourceEmpty()


def verdicts(info: SourceInfo, found: Mapping[int, Decoded]) -> dict[int, bool | None]:
    """Tell for each track whether it decodes; None where more of it has to be looked at.

    That is where no packet of it was met, and where some of it decodes: its beginning may be damaged.
    """
    indexes = [*([info.video.index] if info.video else []), *(t.index for t in info.audio)]
    return {index: _judge(found.get(index, Decoded(0, 0))) for index in indexes}


def _judge(decoded: Decoded) -> bool | None:
    if decoded.is_sound:
        return True
    return None if decoded.frames or not decoded.packets else False


def calling(binary: str) -> list[str]:
    """Give the beginning of an ffmpeg call that tells what it decodes."""
    return [
        binary,
        "-nostdin",
        "-hide_banner",
        *("-loglevel", "verbose"),  # how many frames each track had
        "-nostats",
        *reading.MEMORY,
        *("-max_error_rate", "1"),  # what decodes is counted, whatever the rest is
    ]


def reading_of(source: str) -> list[str]:
    """Give the words that name a source, as it is stored."""
    return [*reading.words(), "-noautorotate", "-i", reading.name_input(source)]
