"""Renditions made by hand, as an encode would leave them."""

from fractions import Fraction

from nextstream.domain.video import TEXT_CODEC, Rendition, Segment, Span

NTSC = Fraction(30000, 1001)


def rung(
    name: str = "v720",
    height: int = 720,
    frames: int = 300,
    rate: Fraction = NTSC,
    segment_bytes: int = 1_500_000,
    **changes: object,
) -> Rendition:
    """Give a 16:9 picture of `frames` frames, in segments of three GOPs of two seconds."""
    gop, step = round(2 * rate), rate.denominator
    segments = []
    for number, first in enumerate(range(0, frames, 3 * gop), start=1):
        count = min(3 * gop, frames - first)
        size = segment_bytes * count // (3 * gop)
        keyframes = tuple(Span(n * size // 3, 20_000 + number * 100) for n in range(-(-count // gop)))
        segments.append(Segment(number, count * step, size, keyframes))
    values: dict[str, object] = {
        "codec": "avc1.64001f",
        "timescale": rate.numerator,
        "init_sha256": "0" * 64,
        "gop_ticks": gop * step,
        "width": height * 16 // 9,
        "height": height,
    }
    return Rendition(name=name, segments=tuple(segments), **(values | changes))


def voice(name: str = "a0", seconds: Fraction = 300 / NTSC, **changes: object) -> Rendition:
    """Give stereo AAC at 128 kb/s, in segments of about six seconds."""
    total, segments, done = round(seconds * 48000), [], 0
    while done < total:
        ticks = min(282 * 1024 if len(segments) % 2 else 281 * 1024, total - done)
        segments.append(Segment(len(segments) + 1, ticks, ticks // 3))
        done += ticks
    values: dict[str, object] = {
        "codec": "mp4a.40.2",
        "timescale": 48000,
        "init_sha256": "1" * 64,
        "channels": 2,
        "language": "eng",
    }
    return Rendition(name=name, segments=tuple(segments), **(values | changes))


def subtitles(name: str = "t0", seconds: Fraction = 300 / NTSC, **changes: object) -> Rendition:
    """Give English subtitles of 1000 bytes."""
    segments = (Segment(1, round(seconds * 1000), 1000),)
    values: dict[str, object] = {"codec": TEXT_CODEC, "timescale": 1000, "init_sha256": ""}
    return Rendition(name=name, segments=segments, **(values | {"language": "eng"} | changes))


def ladder() -> tuple[Rendition, ...]:
    """Give three rungs and two languages."""
    return (
        rung("v1080", 1080, segment_bytes=4_000_000, codec="avc1.640028"),
        rung("v720", 720, segment_bytes=1_450_000),
        rung("v360", 360, segment_bytes=500_000, codec="avc1.64001e"),
        voice("a0"),
        voice("a1", language="ger", title='Der "Kommentar"\n& mehr'),
    )
