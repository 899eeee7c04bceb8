"""Levels of H.264 (ITU-T H.264, table A-1): what a decoder has to be able to do for a picture."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

LONGEST_SIDE = 8192  # x264 takes twice that, but hardly any decoder of H.264 does
BLOCK = 16  # the side of a macroblock, which sizes are counted in
KEPT_PICTURES = 4  # what B-frames that others refer to need, whatever the preset


@dataclass(frozen=True)
class Level:
    """The most that a stream of a level may have; rates and buffers are those of the High profile."""

    name: str
    blocks_per_s: int
    blocks: int
    kept_blocks: int
    rate_bps: int
    buffer_bits: int


# As far as the HLS Authoring Specification lets H.264 go (1.3b), and decoders in hardware do.
LEVELS = tuple(
    Level(name, blocks_per_s, blocks, kept, kilobits * 1250, buffer * 1250)
    for name, blocks_per_s, blocks, kept, kilobits, buffer in (
        ("1.0", 1_485, 99, 396, 64, 175),
        ("1.1", 3_000, 396, 900, 192, 500),
        ("1.2", 6_000, 396, 2_376, 384, 1_000),
        ("1.3", 11_880, 396, 2_376, 768, 2_000),
        ("2.0", 11_880, 396, 2_376, 2_000, 2_000),
        ("2.1", 19_800, 792, 4_752, 4_000, 4_000),
        ("2.2", 20_250, 1_620, 8_100, 4_000, 4_000),
        ("3.0", 40_500, 1_620, 8_100, 10_000, 10_000),
        ("3.1", 108_000, 3_600, 18_000, 14_000, 14_000),
        ("3.2", 216_000, 5_120, 20_480, 20_000, 20_000),
        ("4.0", 245_760, 8_192, 32_768, 20_000, 25_000),
        ("4.1", 245_760, 8_192, 32_768, 50_000, 62_500),
        ("4.2", 522_240, 8_704, 34_816, 50_000, 62_500),
        ("5.0", 589_824, 22_080, 110_400, 135_000, 135_000),
        ("5.1", 983_040, 36_864, 184_320, 240_000, 240_000),
        ("5.2", 2_073_600, 36_864, 184_320, 240_000, 240_000),
    )
)


def fits(width: int, height: int, rate: Fraction) -> bool:
    """Tell whether players' decoders can be expected to take pictures of a size at a frame rate."""
    return max(width, height) <= LONGEST_SIDE and _holds(LEVELS[-1], width, height, rate)


def choose(width: int, height: int, rate: Fraction, rate_bps: int, buffer_bits: int) -> str | None:
    """Give the lowest level that holds pictures and their rate control; None beyond the highest."""
    able = (
        level.name
        for level in LEVELS
        if _holds(level, width, height, rate)
        and rate_bps <= level.rate_bps
        and buffer_bits <= level.buffer_bits
    )
    return next(able, None)


def _holds(level: Level, width: int, height: int, rate: Fraction) -> bool:
    wide, high = -(-width // BLOCK), -(-height // BLOCK)
    blocks = wide * high
    return (
        blocks <= level.blocks
        and blocks * rate <= level.blocks_per_s
        and max(wide, high) ** 2 <= 8 * level.blocks
        and KEPT_PICTURES * blocks <= level.kept_blocks
    )
