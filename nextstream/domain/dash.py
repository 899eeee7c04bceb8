"""The MPEG-DASH manifest (ISO/IEC 23009-1) over the same segments as HLS; text out, nothing is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from xml.etree import ElementTree as ET  # it reads our own text alone  # nosec B405

from nextstream.domain import hls, labels, paths
from nextstream.domain.source import Purpose
from nextstream.domain.video import Rendition

NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"  # the one of segment templates, static ones too
CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
ROLES = "urn:mpeg:dash:role:2011"  # ISO/IEC 23009-1, 5.8.5.5
# A track's role by its purpose, where it isn't main or an alternative.
PURPOSES = {
    Purpose.COMMENTARY: "commentary",
    Purpose.DESCRIPTION: "description",
    Purpose.CLARITY: "enhanced-audio-intelligibility",
    Purpose.CAPTIONS: "caption",
    Purpose.FORCED: "forced-subtitle",
}

Attributes = Mapping[str, str | int]


def manifest(
    renditions: Sequence[Rendition], rate: Fraction, duration_s: Fraction, prefix: str = ""
) -> str:
    """Write the static manifest of a finished video; `prefix`, such as `v1/`, stands before each URI.

    The timelines count from 0 without a presentationTimeOffset: the edit list in each init
    segment already puts the first sample there, and players apply it.
    """
    target_s = hls.target_s(renditions)
    mpd = ET.Element(
        "MPD",
        {
            "xmlns": NAMESPACE,
            "profiles": PROFILE,
            "type": "static",
            "mediaPresentationDuration": _duration(duration_s),
            # A whole segment has to come before it can be decoded to its end; one may last longer
            # than the target, which is the nearest second.
            "minBufferTime": _duration(hls.longest_s(renditions)),
        },
    )
    period = _add(mpd, "Period", {"id": "0", "start": "PT0S"})
    for rungs in _families([r for r in renditions if r.is_video]):
        _add_pictures(period, rungs, rate, target_s, prefix)
    _add_sounds(period, [r for r in renditions if r.is_audio], target_s, prefix)
    texts = [r for r in renditions if r.is_text]
    for text, name in zip(texts, labels.names(texts), strict=True):
        _add_text(period, text, name, prefix)
    return write(mpd)


def read(text: str) -> ET.Element:
    """Give the elements of a manifest that we wrote, named without their namespace."""
    mpd = ET.fromstring(text)  # noqa: S314  nobody else's  # nosec B314
    for each in mpd.iter():
        each.tag = each.tag.removeprefix(f"{{{NAMESPACE}}}")
    mpd.attrib = {"xmlns": NAMESPACE, **mpd.attrib}
    return mpd


def write(mpd: ET.Element) -> str:
    """Give a manifest's text."""
    ET.indent(mpd)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(mpd, encoding="unicode")}\n'


def _families(rungs: Sequence[Rendition]) -> list[list[Rendition]]:
    """Group rungs by codec: a player can't switch from one to another inside an AdaptationSet."""
    return [list(members) for _, members in groupby(sorted(rungs, key=hls.rank), key=hls.rank)]


def _add_pictures(
    period: ET.Element, rungs: Sequence[Rendition], rate: Fraction, target_s: int, prefix: str
) -> None:
    adaptation = _add_set(period, "video")
    for rung in rungs:
        size: Attributes = {"width": rung.width, "height": rung.height, "sar": "1:1"}
        frame_rate = str(rate)  # 30000/1001, or 24
        _add_track(adaptation, rung, {**size, "frameRate": frame_rate}, target_s, prefix)


def _add_sounds(period: ET.Element, voices: Sequence[Rendition], target_s: int, prefix: str) -> None:
    """Describe sound, each track and layout a set of its own; surround sound has its track's name."""
    tracks = [voice for voice in voices if not voice.twin]
    names = dict(zip((track.name for track in tracks), labels.names(tracks), strict=True))
    for voice in voices:
        is_main = voice.name == hls.default_sound(tracks).name
        role = PURPOSES.get(voice.purpose, "main" if is_main else "alternate")
        _add_sound(period, voice, names[voice.twin or voice.name], role, target_s, prefix)


def _add_sound(
    period: ET.Element, voice: Rendition, name: str, role: str, target_s: int, prefix: str
) -> None:
    adaptation = _add_set(period, "audio", {"lang": labels.language(voice.language)})
    _add(adaptation, "AudioChannelConfiguration", {"schemeIdUri": CHANNELS, "value": voice.channels})
    _add(adaptation, "Label").text = name
    _add(adaptation, "Role", {"schemeIdUri": ROLES, "value": role})
    _add_track(adaptation, voice, {}, target_s, prefix)


def _add_text(period: ET.Element, text: Rendition, name: str, prefix: str) -> None:
    """Describe subtitles: one WebVTT file for the whole period, beside the segments."""
    adaptation = _add(
        period,
        "AdaptationSet",
        {
            "id": len(period),
            "contentType": "text",
            "mimeType": paths.MIME_TYPES["vtt"],
            "lang": labels.language(text.language),
        },
    )
    _add(adaptation, "Label").text = name
    role = PURPOSES.get(text.purpose, "subtitle")
    _add(adaptation, "Role", {"schemeIdUri": ROLES, "value": role})
    about: Attributes = {
        "id": text.name,
        "bandwidth": max(1, math.ceil(8 * text.size_bytes / text.duration_s)),
    }
    representation = _add(adaptation, "Representation", about)
    _add(representation, "BaseURL").text = f"{prefix}{text.name}/{paths.TEXT}"


def _add_set(period: ET.Element, kind: str, more: Attributes | None = None) -> ET.Element:
    return _add(
        period,
        "AdaptationSet",
        {
            "id": len(period),
            "contentType": kind,
            "mimeType": f"{kind}/mp4",
            "segmentAlignment": "true",
            "startWithSAP": 1,  # every segment starts with a keyframe
            **(more or {}),
        },
    )


def _add_track(
    adaptation: ET.Element, track: Rendition, more: Attributes, target_s: int, prefix: str
) -> None:
    representation = _add(
        adaptation,
        "Representation",
        {
            "id": track.name,
            "codecs": track.codec,
            # 5.3.5.2: a line of this rate never starves, so the peak and not the average.
            "bandwidth": hls.bandwidth(track, target_s).peak_bps,
            **more,
        },
    )
    folder = f"{prefix.replace('$', '$$')}$RepresentationID$"
    template = _add(
        representation,
        "SegmentTemplate",
        {
            "timescale": track.timescale,
            "initialization": f"{folder}/{paths.INIT}",
            "media": f"{folder}/$Number%05d$.m4s",  # paths.segment_name
            "startNumber": track.segments[0].number if track.segments else 1,
        },
    )
    _add_timeline(template, track)


def _add_timeline(template: ET.Element, track: Rendition) -> None:
    """List the durations of segments, equal ones in a row as one entry; the first starts at 0."""
    timeline = _add(template, "SegmentTimeline")
    for ticks, run in groupby(segment.ticks for segment in track.segments):
        repeats = len(list(run)) - 1
        start: Attributes = {} if len(timeline) else {"t": 0}
        again: Attributes = {"r": repeats} if repeats else {}
        _add(timeline, "S", {**start, "d": ticks, **again})


def _add(parent: ET.Element, tag: str, attributes: Attributes | None = None) -> ET.Element:
    given = {name: str(value) for name, value in (attributes or {}).items()}
    return ET.SubElement(parent, tag, given)


def _duration(seconds: Fraction) -> str:
    """Give an xs:duration, rounded up to the microsecond: a player may cut at its end."""
    micros = math.ceil(seconds * 1_000_000)
    digits = f"{micros // 1_000_000}.{micros % 1_000_000:06d}".rstrip("0").rstrip(".")
    return f"PT{digits}S"
