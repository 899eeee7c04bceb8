"""Where decoding has to begin so that a frame comes out as in a decode of the whole source."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from nextstream.domain import reading
from nextstream.domain.packets import Survey
from nextstream.domain.video import SourceInfo

# Where the index names the keyframes, a second early is enough: the keyframe before is decoded up
# to the first frame anyway.
INDEXED_S = Fraction(1)
INDEXED = frozenset({"mov", "mp4", "matroska", "webm"})

# Without one, a seek finds a time, which may lie between keyframes. The decoder gives nothing until it
# can give the right frame, so it needs a way to run up: to the next keyframe, and from there through
# the pictures that renew themselves bit by bit (H.264's recovery points), which take as long again.
SEARCHED = frozenset({"mpegts", "mpeg", "flv"})
MOST_S = Fraction(30)  # a longer way costs more than it saves
WRAPS_S = Fraction(2**33, 90_000)  # where the clock of MPEG systems starts at 0 again

# Whose keyframes may be such in name only, and where a source is long enough for it to matter.
CODECS = frozenset({"h264", "hevc"})
FROM_S = 6
PACKETS = 8


def has_index(formats: str) -> bool:
    """Tell whether a seek in files of these formats, in ffprobe's names, finds a keyframe."""
    return not INDEXED.isdisjoint(formats.split(","))


def run_up_s(info: SourceInfo, survey: Survey) -> Fraction | None:
    """Give how long before a frame decoding has to begin; None where that isn't to be known."""
    if SEARCHED.isdisjoint(info.format.split(",")) or info.has_jumps:
        return None
    wraps = info.start_s < 0 or info.start_s + info.duration_s >= WRAPS_S
    way_s = 2 * survey.longest_gop_s + INDEXED_S
    return None if wraps or not survey.longest_gop_s or way_s > MOST_S else way_s


def index_command(binary: str, source: str, index: int, at_s: float) -> list[str]:
    """Build the ffprobe call that decodes a few packets after a seek, for `finds_keyframe`."""
    return [
        *(binary, "-loglevel", "error", *reading.MEMORY, *reading.words()),
        *("-threads", "1"),  # so that frames come out after few packets
        *("-select_streams", str(index)),
        *("-read_intervals", f"{at_s:.3f}%+#{PACKETS}"),
        *("-show_entries", "packet=pts:frame=pts"),
        *("-of", "csv"),
        *("-i", reading.name_input(source)),
    ]


def finds_keyframe(lines: Iterable[str]) -> bool:
    """Tell whether decoding starts at the keyframe that a seek finds.

    Pictures that are renewed bit by bit (x264's intra-refresh) have keyframes in name only: what
    follows one can't be shown for seconds.
    """
    found: dict[str, str] = {}
    for line in lines:
        kind, pts, *_ = [*line.split(","), ""]
        found.setdefault(kind, pts)
    packet, frame = found.get("packet", ""), found.get("frame", "")
    return frame.isdigit() and packet.isdigit() and int(frame) <= int(packet)


def search_command(binary: str, source: str, index: int, seek_s: float) -> list[str]:
    """Build the ffmpeg call that gives the first frame after a seek, for `arrives`."""
    return [
        *(binary, "-nostdin", "-loglevel", "error", *reading.MEMORY, *reading.words()),
        *("-copyts", "-noaccurate_seek", "-ss", f"{seek_s:.6f}"),  # as an encode seeks
        *("-i", reading.name_input(source), "-map", f"0:{index}"),
        *("-frames:v", "1", "-fps_mode", "passthrough", "-enc_time_base", "1:1000"),
        *("-f", "framecrc", "-"),
    ]


def arrives(lines: Iterable[str], by_s: float) -> bool:
    """Tell whether the first frame after a seek is not later than a time on the source's clock."""
    rows = (line.split(",") for line in lines if not line.startswith("#"))
    shown = next((row[2].strip() for row in rows if len(row) > 2), "")
    return shown.lstrip("-").isdigit() and int(shown) / 1000 <= by_s
