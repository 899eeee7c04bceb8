"""A multivariant playlist with fewer variants, as a client asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nextstream.domain.hls.multivariant import IFRAME_VARIANT, VARIANT


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
        if line.startswith(VARIANT):
            orphan = not want
        elif is_uri:
            orphan = False


_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
_RESOLUTION = re.compile(r"([1-9]\d*)x([1-9]\d*)")


def _side(line: str) -> int | None:
    """Give the short side a variant's tag states; None for other lines and for sound."""
    if not line.startswith((VARIANT, IFRAME_VARIANT)):
        return None
    attributes = dict(_ATTRIBUTE.findall(line.partition(":")[2]))
    size = _RESOLUTION.match(attributes.get("RESOLUTION", ""))
    return min(int(size[1]), int(size[2])) if size else None
