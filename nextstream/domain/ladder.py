"""The ladder: which renditions a source becomes, by its short side and never above it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from nextstream.domain.plan import Rung, Voice
from nextstream.domain.video import AudioTrack, VideoTrack

# Peak bits per second by short side, at 30 frames per second or less. Near Apple's table
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

STEREO_BPS = 128_000  # HLS Authoring Specification 2.9 has 32 to 160 kb/s for stereo AAC
LEAST_SIDE = 2  # 4:2:0 needs even sizes


def choose(track: VideoTrack, heights: Sequence[int], rate: Fraction, crf: int) -> tuple[Rung, ...]:
    """Choose the rungs for a picture, largest first; never empty.

    `heights` are the short sides on offer. A source between two steps, or under all, gets a
    rung of its own size on top.
    """
    short = min(track.width, track.height)
    sides = sorted({side for side in heights if side <= short}, reverse=True)
    if not sides or short >= OWN_RUNG_FROM * sides[0]:
        sides.insert(0, short)
    return tuple(_rung(track, side, rate, crf) for side in sides)


def voices(tracks: Sequence[AudioTrack]) -> tuple[Voice, ...]:
    """Choose the audio renditions: every track as stereo AAC."""
    return tuple(
        Voice(f"a{n}", track.index, 2, STEREO_BPS, track.language, track.title)
        for n, track in enumerate(tracks)
    )


def _rung(track: VideoTrack, side: int, rate: Fraction, crf: int) -> Rung:
    scale = Fraction(side, min(track.width, track.height))
    width, height = _even(track.width * scale), _even(track.height * scale)
    maxrate = _maxrate_bps(side) * (3 if rate > FAST_FPS else 2) // 2
    return Rung(f"v{side}", width, height, crf, maxrate, int(maxrate * BUFFER_S))


def _maxrate_bps(side: int) -> int:
    """Give the cap for any short side: the table's, or by picture area from the next step up."""
    step = next((s for s in MAXRATES_BPS if s >= side), max(MAXRATES_BPS))
    return MAXRATES_BPS[step] * side * side // (step * step)


def _even(size: Fraction) -> int:
    return max(LEAST_SIDE, 2 * round(size / 2))
