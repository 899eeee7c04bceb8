"""HLS playlists after RFC 8216 and Apple's HLS Authoring Specification; text out, nothing is read.

Numbers like 9.14 in this file are rules of the authoring specification.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, groupby

from nextstream.domain import labels, paths
from nextstream.domain.video import Rendition, Span

VERSION = 6  # RFC 8216, section 7: EXT-X-MAP in a playlist of more than I-frames
FIRST_BPS = 2_000_000  # 1.32: the variant that is listed, and so tried, first


@dataclass(frozen=True)
class Rates:
    """Bits per second of a playlist: of its worst run of segments, and over all of it."""

    peak_bps: int
    average_bps: int


@dataclass(frozen=True)
class Gop:
    """One entry of an I-frame playlist: how long its picture stands, and where its bytes are."""

    ticks: int
    number: int
    span: Span


@dataclass(frozen=True)
class _Group:
    """Audio tracks a player chooses one of; `id` is empty where there is nothing to choose."""

    id: str
    voices: tuple[Rendition, ...]
    rates: Rates


_SILENCE = _Group("", (), Rates(0, 0))


def media(rendition: Rendition, target_s: int, *, ended: bool = True) -> str:
    """Write the media playlist that lies beside a rendition's segments.

    Unless `ended` it may grow, and is played from its start. Segments may only be added.
    """
    lines = _head(target_s, "VOD" if ended else "EVENT")
    if not ended:
        lines.append("#EXT-X-START:TIME-OFFSET=0")
    lines.append(f'#EXT-X-MAP:URI="{paths.INIT}"')
    durations = _durations([s.ticks for s in rendition.segments], rendition.timescale)
    for segment, duration in zip(rendition.segments, durations, strict=True):
        lines += [f"#EXTINF:{duration},", paths.segment_name(segment.number)]
    return _text(lines, ended=ended)


def iframes(rendition: Rendition, target_s: int) -> str:
    """Write the playlist of keyframes alone, byte ranges of the segments, for scrubbing (6.1)."""
    lines = [*_head(target_s, "VOD"), "#EXT-X-I-FRAMES-ONLY", f'#EXT-X-MAP:URI="{paths.INIT}"']
    found = tuple(gops(rendition))
    durations = _durations([gop.ticks for gop in found], rendition.timescale)
    for gop, duration in zip(found, durations, strict=True):
        byte_range = f"#EXT-X-BYTERANGE:{gop.span.size_bytes}@{gop.span.offset}"
        lines += [f"#EXTINF:{duration},", byte_range, paths.segment_name(gop.number)]
    return _text(lines, ended=True)


def gops(rendition: Rendition) -> Iterator[Gop]:
    """Give the keyframes of a rendition; the last of a segment stands for what is left of it."""
    for segment in rendition.segments:
        before = (len(segment.keyframes) - 1) * rendition.gop_ticks
        for span in segment.keyframes:
            last = span is segment.keyframes[-1]
            yield Gop(segment.ticks - before if last else rendition.gop_ticks, segment.number, span)


def target_s(renditions: Sequence[Rendition]) -> int:
    """Give one target duration for all playlists (8.2): the longest segment's, to the nearest second."""
    longest = (Fraction(s.ticks, r.timescale) for r in renditions for s in r.segments)
    return max(1, math.floor(max(longest, default=Fraction(0)) + Fraction(1, 2)))


def bandwidth(rendition: Rendition, target_s: int) -> Rates:
    """Measure a rendition's rates; the peak over any run of 0.5 to 1.5 targets (RFC 8216, 4.1)."""
    return _measure([(s.ticks, s.size_bytes) for s in rendition.segments], rendition.timescale, target_s)


def iframe_bandwidth(rendition: Rendition, target_s: int) -> Rates:
    """Measure the rates of a rendition's I-frame playlist, as `bandwidth` does."""
    runs = [(gop.ticks, gop.span.size_bytes) for gop in gops(rendition)]
    return _measure(runs, rendition.timescale, target_s)


def master(
    renditions: Sequence[Rendition],
    rate: Fraction,
    prefix: str = "",
    estimates: Mapping[str, Rates] | None = None,
) -> str:
    """Write the multivariant playlist; `prefix`, such as `v1/`, stands before each URI.

    `estimates` replace measured rates, by rendition name, while it isn't known what will come;
    a rendition with an estimate has no I-frame variant yet.
    """
    guesses, target = estimates or {}, target_s(renditions)
    rates = {r.name: guesses.get(r.name) or bandwidth(r, target) for r in renditions}
    rungs = [r for r in renditions if r.is_video]
    groups = _groups([r for r in renditions if not r.is_video], rates, alone=not rungs)
    # Stereo variants come first: every player can play them (9.17: from general to specific).
    variants = [
        line
        for group in groups
        for line in (_pictures(rungs, group, rates, rate, prefix) if rungs else _sound(group, prefix))
    ]
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [line for group in groups for line in _media_tags(group, prefix)]
    lines += variants
    lines += [_iframe_variant(r, target, prefix) for r in rungs if r.name not in guesses]
    return _text(lines, ended=False)


def filter_master(text: str, *, max_height: int | None = None, min_height: int | None = None) -> str:
    """Drop the variants whose short side is out of bounds; the rest stays as it is, to the byte.

    Height is the short side, as in the ladder, so that a portrait 720x1280 is a 720. Where
    nothing would be left, what is nearest to the bounds stays. Sound is never dropped.
    """
    lines = text.split("\n")
    sides = [_side(line) for line in lines]
    offered = {side for side in sides if side}
    least, most = min_height or 0, max_height or max(offered, default=0)

    def miss(side: int) -> int:
        return max(least - side, 0) + max(side - most, 0)

    nearest = min(map(miss, offered), default=0)
    kept = {side for side in offered if miss(side) == nearest}
    return "\n".join(_keep(lines, [side is None or side in kept for side in sides]))


def _keep(lines: Sequence[str], wanted: Sequence[bool]) -> Iterator[str]:
    """Give the wanted lines; the URI of an unwanted variant goes with it."""
    orphan = False
    for line, want in zip(lines, wanted, strict=True):
        is_uri = bool(line.strip()) and not line.startswith("#")
        if want and not (orphan and is_uri):
            yield line
        if line.startswith(_VARIANT):
            orphan = not want
        elif is_uri:
            orphan = False


_VARIANT = "#EXT-X-STREAM-INF:"
_IFRAME_VARIANT = "#EXT-X-I-FRAME-STREAM-INF:"
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
_RESOLUTION = re.compile(r"([1-9]\d*)x([1-9]\d*)")


def _side(line: str) -> int | None:
    """Give the short side a variant's tag states; None for other lines and for sound."""
    if not line.startswith((_VARIANT, _IFRAME_VARIANT)):
        return None
    attributes = dict(_ATTRIBUTE.findall(line.partition(":")[2]))
    size = _RESOLUTION.match(attributes.get("RESOLUTION", ""))
    return min(int(size[1]), int(size[2])) if size else None


def _head(target_s: int, playlist_type: str) -> list[str]:
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_s}",
        f"#EXT-X-PLAYLIST-TYPE:{playlist_type}",
    ]


def _text(lines: list[str], *, ended: bool) -> str:
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""] if ended else [*lines, ""])


def _durations(ticks: Sequence[int], timescale: int) -> Iterator[str]:
    """Give durations in seconds whose running sum is never more than half a microsecond off (8.1)."""
    before = 0
    for end in accumulate(ticks):
        now = round(Fraction(end * 1_000_000, timescale))
        yield f"{(now - before) // 1_000_000}.{(now - before) % 1_000_000:06d}"
        before = now


def _measure(runs: Sequence[tuple[int, int]], timescale: int, target_s: int) -> Rates:
    """Give the rates of (ticks, bytes); a playlist shorter than half a target is one run."""
    whole = _bps(sum(size for _, size in runs), sum(ticks for ticks, _ in runs), timescale)
    windows = (_bps(size, ticks, timescale) for ticks, size in _windows(runs, target_s * timescale))
    return Rates(max(windows, default=whole), whole)


def _windows(runs: Sequence[tuple[int, int]], target: int) -> Iterator[tuple[int, int]]:
    """Give (ticks, bytes) of each contiguous run that lasts 0.5 to 1.5 targets."""
    for first in range(len(runs)):
        length = size = 0
        for ticks, size_bytes in runs[first:]:
            length, size = length + ticks, size + size_bytes
            if 2 * length > 3 * target:
                break
            if 2 * length >= target:
                yield length, size


def _bps(size_bytes: int, ticks: int, timescale: int) -> int:
    return math.ceil(Fraction(8 * size_bytes * timescale, ticks)) if ticks else 0


def _groups(voices: Sequence[Rendition], rates: Mapping[str, Rates], *, alone: bool) -> list[_Group]:
    """Group audio by layout (9.6), fewest channels first; one silent group where there is none."""
    groups = []
    ordered = sorted(voices, key=lambda voice: voice.channels)
    for channels, members in groupby(ordered, key=lambda voice: voice.channels):
        group = tuple(members)
        named = "" if alone and len(voices) == 1 else f"audio-{channels}"
        groups.append(_Group(named, group, _worst([rates[voice.name] for voice in group])))
    return groups or [_SILENCE]


def _worst(rates: Sequence[Rates]) -> Rates:
    """Give the rates that cover any one of these (9.13)."""
    return Rates(max(r.peak_bps for r in rates), max(r.average_bps for r in rates))


def _media_tags(group: _Group, prefix: str) -> Iterator[str]:
    """Describe a group's tracks; the first is the default, and the automatic choice of its language."""
    if not group.id:
        return
    languages: set[str] = set()
    for voice, name in zip(group.voices, labels.names(group.voices), strict=True):
        language = labels.language(voice.language)
        attributes = {
            "TYPE": "AUDIO",
            "GROUP-ID": f'"{group.id}"',
            "LANGUAGE": f'"{language}"',
            "NAME": f'"{name}"',
            "DEFAULT": "NO" if languages else "YES",
            "AUTOSELECT": "NO" if language in languages else "YES",
            "CHANNELS": f'"{voice.channels}"',
            "URI": f'"{prefix}{voice.name}/{paths.PLAYLIST}"',
        }
        languages.add(language)
        yield "#EXT-X-MEDIA:" + _list(attributes)


def _pictures(
    rungs: Sequence[Rendition], group: _Group, rates: Mapping[str, Rates], rate: Fraction, prefix: str
) -> Iterator[str]:
    """Describe each rung with a group of sound: the one nearest FIRST_BPS, then the largest on down."""
    total = {
        rung.name: Rates(
            rates[rung.name].peak_bps + group.rates.peak_bps,
            rates[rung.name].average_bps + group.rates.average_bps,
        )
        for rung in rungs
    }
    first = min(rungs, key=lambda rung: abs(total[rung.name].average_bps - FIRST_BPS))
    for rung in sorted(
        rungs, key=lambda r: (r is not first, -r.width * r.height, -total[r.name].peak_bps)
    ):
        picture = {
            "RESOLUTION": f"{rung.width}x{rung.height}",
            "FRAME-RATE": f"{float(rate):.3f}",
        }
        yield _variant(total[rung.name], [rung, *group.voices], group, picture)
        yield f"{prefix}{rung.name}/{paths.PLAYLIST}"


def _sound(group: _Group, prefix: str) -> Iterator[str]:
    """Describe a group of sound alone; its first track stands for it."""
    if group.voices:
        yield _variant(group.rates, group.voices, group, {})
        yield f"{prefix}{group.voices[0].name}/{paths.PLAYLIST}"


def _variant(
    rates: Rates, tracks: Sequence[Rendition], group: _Group, picture: Mapping[str, str]
) -> str:
    # Each codec once: a repeated one broke hls.js (its issue 6337). Without any it loses the sound.
    codecs = dict.fromkeys(track.codec for track in tracks)
    attributes = {**_rates(rates), "CODECS": f'"{",".join(codecs)}"', **picture}
    if group.id:
        attributes["AUDIO"] = f'"{group.id}"'
    return _VARIANT + _list({**attributes, "CLOSED-CAPTIONS": "NONE"})


def _iframe_variant(rung: Rendition, target_s: int, prefix: str) -> str:
    attributes = {
        **_rates(iframe_bandwidth(rung, target_s)),
        "CODECS": f'"{rung.codec}"',
        "RESOLUTION": f"{rung.width}x{rung.height}",
        "URI": f'"{prefix}{rung.name}/{paths.IFRAMES}"',
    }
    return _IFRAME_VARIANT + _list(attributes)


def _rates(rates: Rates) -> dict[str, str]:
    return {"BANDWIDTH": str(rates.peak_bps), "AVERAGE-BANDWIDTH": str(rates.average_bps)}


def _list(attributes: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in attributes.items())
