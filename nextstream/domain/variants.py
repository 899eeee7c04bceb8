"""Which of a video's pictures a client is offered: by size, codec, rate and device.

Height is the short side, as in the ladder, so that a portrait 720x1280 is a 720.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from nextstream.errors import NoVariant

# By the names people use, and those of RFC 6381.
FAMILIES = {
    "h264": "avc1",
    "avc1": "avc1",
    "avc3": "avc1",
    "hevc": "hvc1",
    "h265": "hvc1",
    "hvc1": "hvc1",
    "hev1": "hvc1",
    "av1": "av01",
    "av01": "av01",
}
SOUNDS = frozenset({"aac", "mp4a"})  # every variant has it, so to name it changes nothing

# The largest picture that is worth its bytes on each; None is all there are.
DEVICES = {"phone": 720, "tablet": 1080, "desktop": 1440, "tv": None}
SAVED_HEIGHT = 480  # for who wants to save data


@dataclass(frozen=True)
class Variant:
    """A picture as a manifest states it; `rate_bps` is what a line has to carry for it, with sound."""

    height: int
    family: str
    rate_bps: int


@dataclass(frozen=True)
class Wanted:
    """What a client wants of pictures; None is any, and `families` are codecs such as `avc1`."""

    max_height: int | None = None
    min_height: int | None = None
    families: frozenset[str] | None = None
    max_rate_bps: int | None = None


ANY = Wanted()


def choose(offered: Collection[Variant], wanted: Wanted) -> set[Variant]:
    """Give those a client wants; where none is within its bounds, what is nearest to them.

    A codec is no bound: raises NoVariant where there is none of those wanted.
    """
    able = {each for each in offered if wanted.families is None or each.family in wanted.families}
    if offered and not able:
        names = ", ".join(sorted({each.family for each in offered}))
        raise NoVariant(f"This video has none of the codecs in ?codecs=; it has {names}.")
    fitting = _nearest(able, lambda each: _miss(each.height, wanted.min_height, wanted.max_height))
    return _nearest(fitting, lambda each: _miss(each.rate_bps, None, wanted.max_rate_bps))


def family(codecs: str) -> str:
    """Give the family of the picture in an RFC 6381 list such as `avc1.64001f,mp4a.40.2`, or nothing."""
    names = (word.strip().partition(".")[0] for word in codecs.split(","))
    return next((FAMILIES[name] for name in names if name in FAMILIES), "")


def read_families(codecs: str) -> frozenset[str]:
    """Read a list of codecs of pictures, each with or without its profile; raises ValueError."""
    names = {word.strip().lower().partition(".")[0] for word in codecs.split(",")} - SOUNDS
    if not names or not names <= FAMILIES.keys():
        raise ValueError(f"must be of {', '.join(FAMILIES)}, with commas")
    return frozenset(FAMILIES[name] for name in names)


def _nearest(offered: set[Variant], miss: Callable[[Variant], int]) -> set[Variant]:
    least = min(map(miss, offered), default=0)
    return {each for each in offered if miss(each) == least}


def _miss(value: int, least: int | None, most: int | None) -> int:
    """Give how far a value is out of bounds."""
    over = 0 if most is None else value - most
    return max((least or 0) - value, 0) + max(over, 0)
