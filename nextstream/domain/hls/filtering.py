"""A multivariant playlist with fewer variants, as a client asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from nextstream.domain import variants
from nextstream.domain.hls.multivariant import IFRAME_VARIANT, VARIANT
from nextstream.domain.variants import Variant, Wanted


def filter_master(text: str, wanted: Wanted) -> str:
    """Drop the variants that aren't wanted; the rest stays as it is, to the byte.

    Sound is never dropped. Keyframes stay with a variant of their size and codec. Raises NoVariant.
    """
    lines = text.split("\n")
    found = [_read(line) for line in lines]
    offered = [v for v, line in zip(found, lines, strict=True) if v and line.startswith(VARIANT)]
    kept = variants.choose(offered, wanted)
    alike = {(each.height, each.family) for each in kept}

    def stays(line: str, variant: Variant | None) -> bool:
        if variant is None or variant in kept:
            return True
        return line.startswith(IFRAME_VARIANT) and (variant.height, variant.family) in alike

    return "\n".join(_keep(lines, [stays(*pair) for pair in zip(lines, found, strict=True)]))


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


def _read(line: str) -> Variant | None:
    """Give the picture that a variant's tag states; None for other lines and for sound."""
    if not line.startswith((VARIANT, IFRAME_VARIANT)):
        return None
    attributes: Mapping[str, str] = dict(_ATTRIBUTE.findall(line.partition(":")[2]))
    size = _RESOLUTION.match(attributes.get("RESOLUTION", ""))
    if size is None:
        return None
    rate = attributes.get("BANDWIDTH", "0").strip()
    return Variant(
        min(int(size[1]), int(size[2])),
        variants.family(attributes.get("CODECS", "").strip('"')),
        int(rate) if rate.isdigit() else 0,
    )
