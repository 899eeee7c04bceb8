"""What ffmpeg itself says of a source, where ffprobe, which opens every decoder, gives up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import cos, radians, sin
from typing import Any

from nextstream.domain import reading
from nextstream.domain.plan import NATURAL_RATES

Stream = dict[str, Any]

_INPUT = re.compile(r"Input #0, ([\w,]+), from ")
_LENGTH = re.compile(r"  Duration: (?:(\d+):(\d\d):(\d\d\.\d+)|N/A)(?:, start: (-?[\d.]+))?")
_CHAPTER = re.compile(r"\s+Chapter #0:\d+: start (-?[\d.]+), end (-?[\d.]+)$")
_STREAM = re.compile(r"\s+Stream #0:(\d+)(?:\[\w+\])?(?:\(([^)]*)\))?: (\w+): (\w+)(.*)")
_TAG = re.compile(r"\s{4,}(\S+)\s*: (.*)")
_TURNED = re.compile(r"\s+Display Matrix: rotation of (-?[\d.]+) degrees")

_FOURCC = re.compile(r"\((\w{4}) / 0x")
_PIXELS = re.compile(r", (?!none)([a-z]\w+)(?:\(([^()]*)|, \d+x)")
_SIZE = re.compile(r", (\d+)x(\d+)")
_ASPECT = re.compile(r"SAR (\d+:\d+)")
_COUNT = re.compile(r"([\d.]+)(k?) (fps|tbr|tbn)\b")
_START = re.compile(r", start (-?[\d.]+)")
_SOUND = re.compile(r", (\d+) Hz, ([^,]+)")
_FLAG = re.compile(r"\(([a-z -]+)\)")
_FIELDS = {"top first": "tt", "bottom first": "bb", "top coded first": "tb", "bottom coded first": "bt"}
_COLOR = re.compile(r"(?:bt|smpte|film|fcc)\w*$")  # one that stands for all three
_CHANNELS = {"mono": 1, "stereo": 2, "downmix": 2, "quad": 4, "hexagonal": 6, "octagonal": 8}
_MICROSECOND = Fraction(1, 1_000_000)


def command(binary: str, source: str) -> list[str]:
    """Build the ffmpeg call that describes a source for `parse`; having no output, it then fails."""
    said = ("-nostdin", "-hide_banner", *("-loglevel", "verbose"))  # verbose: when each track starts
    return [binary, *said, *reading.MEMORY, *reading.words(), "-i", reading.name_input(source)]


def packets_command(binary: str, source: str, index: int | str) -> list[str]:
    """Build the ffmpeg call that lists all of a stream's packets for `packets.read_copied`."""
    return [
        *(binary, "-nostdin", "-loglevel", "error"),
        *(*reading.MEMORY, *reading.words()),
        *("-copyts", "-i", reading.name_input(source)),  # the source's own clock
        *("-map", f"0:{index}", "-c", "copy"),  # no decoder
        "-copyinkf",  # also what comes before the first keyframe, as ffprobe lists it
        *("-f", "framecrc", "-"),  # its times as text, with their unit
    ]


def is_one(found: Mapping[str, Any]) -> bool:
    """Tell what `parse` gives from what ffprobe says."""
    return bool(found.get("is_dump"))


def parse(words: Iterable[str]) -> Mapping[str, Any]:
    """Put what ffmpeg says of its input into ffprobe's words; no streams where it can't read it."""
    container: Stream = {}
    streams: dict[int, Stream] = {}
    chapters: list[Stream] = []
    part: Stream = {}
    for line in words:
        if match := _INPUT.match(line):
            container["format_name"] = match[1]
        elif match := _LENGTH.match(line):
            container |= _length(match)
        elif match := _CHAPTER.match(line):
            part = {"start_time": match[1], "end_time": match[2], "tags": {}}
            chapters.append(part)
        elif match := _STREAM.match(line):
            part = streams.setdefault(int(match[1]), _stream(match))
        elif match := _TURNED.match(line):
            part["side_data_list"] = [{"displaymatrix": _matrix(float(match[1]))}]
        elif (match := _TAG.match(line)) and part:
            part["tags"].setdefault(match[1], match[2])
    found = {"format": container, "streams": list(streams.values()), "chapters": chapters}
    return {**found, "is_dump": True}


def _length(match: re.Match[str]) -> Stream:
    found: Stream = {"start_time": match[4]} if match[4] else {}
    if match[1]:
        found["duration"] = str(int(match[1]) * 3600 + int(match[2]) * 60 + Fraction(match[3]))
    return found


def _stream(match: re.Match[str]) -> Stream:
    rest = match[5]
    tag = _FOURCC.search(rest)
    stream: Stream = {
        "index": int(match[1]),
        "codec_type": match[3].lower(),
        "codec_name": match[4],
        "codec_tag_string": tag[1] if tag else "",
        "disposition": {flag.replace(" ", "_"): 1 for flag in _FLAG.findall(rest)},
        "tags": {"language": match[2]} if match[2] else {},
    }
    if read := {"video": _video, "audio": _audio}.get(stream["codec_type"]):
        stream |= read(rest)
    base = stream.setdefault("time_base", str(_MICROSECOND))
    start = _START.search(rest)
    stream["start_pts"] = round(Fraction(start[1] if start else 0) / Fraction(base))
    return stream


def _video(rest: str) -> Stream:
    counts = {name: _count(number, kilo) for number, kilo, name in _COUNT.findall(rest)}
    pixels, size, aspect = _PIXELS.search(rest), _SIZE.search(rest), _ASPECT.search(rest)
    made: Stream = {"width": size[1], "height": size[2]} if size else {}
    if pixels:
        made |= {"pix_fmt": pixels[1], **_color(pixels[2] or "")}
    if aspect:
        made["sample_aspect_ratio"] = aspect[1]
    if counts.get("tbn"):
        made["time_base"] = str(1 / counts["tbn"])
    fields = next((known for said, known in _FIELDS.items() if said in rest), "")
    rates = {"avg_frame_rate": str(counts.get("fps", 0)), "r_frame_rate": str(counts.get("tbr", 0))}
    return {**made, **rates, "field_order": fields}


def _count(number: str, kilo: str) -> Fraction:
    """Read a number of which ffmpeg says two digits after the point: one of a known rate is that."""
    count = Fraction(number) * (1000 if kilo else 1)
    near = (rate for rate in NATURAL_RATES if abs(rate - count) < Fraction(1, 150))
    return next(near, count)


def _color(said: str) -> Stream:
    """Read what stands behind a pixel format: the range, and the matrix, primaries and transfer."""
    made: Stream = {}
    for word in said.split(", "):
        parts = word.split("/")
        if word in ("tv", "pc"):
            made["color_range"] = word
        elif len(parts) == 3 or _COLOR.match(word):
            names = parts if len(parts) == 3 else parts * 3
            made |= zip(("color_space", "color_primaries", "color_transfer"), names, strict=True)
    return made


def _audio(rest: str) -> Stream:
    if not (match := _SOUND.search(rest)):
        return {}
    layout, (number, _, unit) = match[2], match[2].partition(" ")
    channels = int(number) if unit == "channels" and number.isdigit() else _channels(layout)
    return {
        "sample_rate": match[1],
        "channels": channels,
        "channel_layout": "" if unit == "channels" else layout,
    }


def _channels(layout: str) -> int:
    """Count the channels of a layout by its name, as 5.1(side)."""
    name = layout.partition("(")[0]
    return _CHANNELS.get(name) or sum(int(digits) for digits in re.findall(r"\d+", name)) or 2


def _matrix(degrees: float) -> str:
    """Give a display matrix as ffprobe writes it; ffmpeg's angle is counter-clockwise."""
    a, b = (round(turn(radians(-degrees)) * 65536) for turn in (cos, sin))
    return f"\n00000000: {a} {b} 0\n00000001: {-b} {a} 0\n00000002: 0 0 1073741824\n"
