"""The ladder: which renditions a source becomes, by its short side and never above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from nextstream.domain import levels, mixing
from nextstream.domain.plan import Rung, Voice
from nextstream.domain.source import AudioTrack, VideoTrack
from nextstream.domain.video import Rendition

# Peak bits per second of H.264 by short side, at 30 frames per second or less. Near Apple's table
# (HLS Authoring Specification 1.25) in the middle, tighter below, since the rate is only a cap:
# capped CRF stays under it wherever the picture is easy.
MAXRATES_BPS = {
    240: 400_000,
    360: 900_000,
    480: 1_800_000,
    540: 2_400_000,
    720: 4_000_000,
    1080: 7_500_000,
    1440: 12_000_000,
    2160: 20_000_000,
}
FAST_FPS = 31  # above it the cap is half as high again: twice the frames, but each more like the last
BUFFER_S = Fraction(3, 2)  # VBV of 1.5 s keeps measured peaks under twice the average
OWN_RUNG_FROM = Fraction(115, 100)  # a source this much above the best step gets a rung of its own size

HD_SIDE = 720  # from here on the largest picture is made twice (HLS Authoring Specification 9.10)
LOW = "-low"
LOW_CRF = 3  # about two thirds of the rate: between the higher one and the next smaller picture
LOW_CAP = Fraction(3, 5)  # of the higher one's, as 4500 stands to 7800 in Apple's table

ALIKE = Fraction(12, 100)  # rungs whose rates differ by less give a player no choice

STEREO_BPS = 128_000  # HLS Authoring Specification 2.9 has 32 to 160 kb/s for stereo AAC,
SURROUND_BPS = 320_000  # and 320 for 5.1
SURROUND_CHANNELS = 6
LEAST_SIDE = 2  # 4:2:0 needs even sizes


@dataclass(frozen=True)
class Codec:
    """How a codec's ladder differs from that of H.264.

    `crf` is what looks like x264's 23, `cap` the part of the cap it needs; an empty `preset` is
    x264's. Pictures are at least `least_side` pixels wide and high.
    """

    name: str
    crf: int = 23
    cap: Fraction = Fraction(1)
    preset: str = ""
    least_side: int = LEAST_SIDE


# x265 takes no picture below 16 pixels, and its memory is broken by some below 64, its largest block's
# side; SVT-AV1 promises 64 and more.
LARGE_BLOCK = 64

H264 = Codec("h264")
# x265's own default; the cap as in Apple's two tables.
HEVC = Codec("hevc", 28, Fraction(3, 4), least_side=LARGE_BLOCK)
AV1 = Codec("av1", 35, Fraction(3, 5), least_side=LARGE_BLOCK)  # SVT-AV1's own default
CODECS = (H264, HEVC, AV1)  # what every player can show comes first (9.17)


def choose(
    track: VideoTrack,
    heights: Sequence[int],
    rate: Fraction,
    crf: int,
    tops: int = 1,
    codecs: Sequence[Codec] = (H264,),
) -> tuple[Rung, ...]:
    """Choose the rungs for a picture, codec by codec and largest first; never empty.

    `heights` are the short sides on offer. A source between two steps, or under all, gets a
    rung of its own size on top, or of the largest size that players can decode at this `rate`; one
    above all steps is made smaller. `crf` is for x264. With `tops` 2 an HD picture of H.264 has a
    second rung of the largest size and a lower rate; so has one that is too small for a second step,
    since a player needs two rates to choose of (HLS Authoring Specification 9.9).
    """
    short = _largest_side(track, rate)
    sides = sorted({side for side in heights if side <= short}, reverse=True)
    if not sides or (short >= OWN_RUNG_FROM * sides[0] and sides[0] < max(heights)):
        sides.insert(0, short)
    made = [(codec, _rung(track, side, rate, crf, codec)) for codec in codecs for side in sides]
    rungs = [rung for codec, rung in made if min(rung.width, rung.height) >= codec.least_side]
    # Where only codecs are wanted that can't make it, the one is used that can.
    rungs = rungs or [_rung(track, side, rate, crf, H264) for side in sides]
    is_alone = len(sides) == 1 < len(heights)  # by the source, and not by the one height on offer
    if tops > 1 and (sides[0] >= HD_SIDE or is_alone) and rungs[0].codec == H264.name:
        rungs.insert(1, _lower(rungs[0]))
    return tuple(rungs)


def merge(renditions: Sequence[Rendition]) -> tuple[Rendition, ...]:
    """Leave out rungs whose average rate is within ALIKE of a larger picture's of the same codec.

    Of two of the same size the one of the higher rate stays. Never leaves a codec without rungs.
    """
    rungs = [r for r in renditions if r.is_video]
    families = [[r for r in rungs if r.family == family] for family in {r.family for r in rungs}]
    kept = {r.name for family in families for r in _apart(family)}
    return tuple(r for r in renditions if r.name in kept or not r.is_video)


def voices(tracks: Sequence[AudioTrack]) -> tuple[Voice, ...]:
    """Choose the audio renditions: every track as stereo AAC, and surround sound beside it as 5.1."""
    stereo = tuple(
        Voice(
            f"a{n}",
            track.index,
            2,
            STEREO_BPS,
            track.language,
            track.title,
            track.purpose,
            track.is_default,
            mix=mixing.stereo(track.layout, track.channels),
        )
        for n, track in enumerate(tracks)
    )
    surround = tuple(
        replace(
            voice,
            name=f"{voice.name}-surround",
            channels=SURROUND_CHANNELS,
            bitrate_bps=SURROUND_BPS,
            twin=voice.name,
        )
        for voice, track in zip(stereo, tracks, strict=True)
        if track.channels >= SURROUND_CHANNELS and not voice.mix
    )
    return stereo + surround


def _apart(rungs: Sequence[Rendition]) -> list[Rendition]:
    """Walk down from the largest picture, and keep what is far enough below the last one kept."""
    kept: list[Rendition] = []
    for rung in sorted(rungs, key=lambda r: (r.width * r.height, _bytes_per_s(r)), reverse=True):
        if not kept or _bytes_per_s(rung) < (1 - ALIKE) * _bytes_per_s(kept[-1]):
            kept.append(rung)
    return kept


def _bytes_per_s(rendition: Rendition) -> Fraction:
    return rendition.size_bytes / rendition.duration_s if rendition.segments else Fraction(0)


def _largest_side(track: VideoTrack, rate: Fraction) -> int:
    """Give the short side of the source, or the next one below it of a picture that a decoder takes."""
    short = min(track.width, track.height)
    sides = (short, *range(short - short % 2, LEAST_SIDE, -2))
    return next((side for side in sides if levels.fits(*_size(track, side), rate)), LEAST_SIDE)


def _size(track: VideoTrack, side: int) -> tuple[int, int]:
    scale = Fraction(side, min(track.width, track.height))
    return _even(track.width * scale), _even(track.height * scale)


def _rung(track: VideoTrack, side: int, rate: Fraction, crf: int, codec: Codec) -> Rung:
    # A picture of a few lines can't be made shorter without being made longer than it is.
    width, height = (min(levels.LONGEST_SIDE, size) for size in _size(track, side))
    maxrate = int(_maxrate_bps(side) * codec.cap * (Fraction(3, 2) if rate > FAST_FPS else 1))
    return Rung(
        f"v{side}" if codec.name == H264.name else f"v{side}-{codec.name}",
        width,
        height,
        crf + codec.crf - H264.crf,
        maxrate,
        int(maxrate * BUFFER_S),
        codec.name,
        codec.preset,
    )


def _lower(rung: Rung) -> Rung:
    maxrate = int(rung.maxrate_bps * LOW_CAP)
    return replace(
        rung,
        name=f"{rung.name}{LOW}",
        crf=rung.crf + LOW_CRF,
        maxrate_bps=maxrate,
        bufsize_bits=int(maxrate * BUFFER_S),
    )


def _maxrate_bps(side: int) -> int:
    """Give the cap for any short side: the table's, or by picture area from the next step up."""
    step = next((s for s in MAXRATES_BPS if s >= side), max(MAXRATES_BPS))
    return MAXRATES_BPS[step] * side * side // (step * step)


def _even(size: Fraction) -> int:
    return max(LEAST_SIDE, 2 * round(size / 2))
