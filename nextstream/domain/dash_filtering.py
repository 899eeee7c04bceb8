"""A DASH manifest with fewer pictures, as a client asks for."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET  # of our own text alone  # nosec B405

from nextstream.domain import dash, variants
from nextstream.domain.variants import Variant, Wanted

TRACK = "Representation"


def filter_manifest(text: str, wanted: Wanted) -> str:
    """Drop the pictures that aren't wanted, of a manifest that `dash.manifest` wrote.

    A picture's rate counts with that of the sound that takes most. Raises NoVariant.
    """
    mpd = dash.read(text)
    sound_bps = max((_rate(each) for each in mpd.iter(TRACK) if not _side(each)), default=0)
    found = {id(each): _read(each, sound_bps) for _, each in _pictures(mpd)}
    kept = variants.choose(set(found.values()), wanted)
    for parent, each in list(_pictures(mpd)):
        if found[id(each)] not in kept:
            parent.remove(each)
    for period in mpd.iter("Period"):
        for empty in [each for each in period if each.find(TRACK) is None]:
            period.remove(empty)
    return dash.write(mpd)


def _pictures(mpd: ET.Element) -> Iterator[tuple[ET.Element, ET.Element]]:
    """Give each picture's Representation behind the AdaptationSet it is in."""
    for adaptation in mpd.iter("AdaptationSet"):
        for each in adaptation.findall(TRACK):
            if _side(each):
                yield adaptation, each


def _read(each: ET.Element, sound_bps: int) -> Variant:
    return Variant(_side(each), variants.family(each.get("codecs", "")), _rate(each) + sound_bps)


def _side(each: ET.Element) -> int:
    """Give a picture's short side, and 0 for sound and text."""
    return min(int(each.get("width", "0")), int(each.get("height", "0")))


def _rate(each: ET.Element) -> int:
    return int(each.get("bandwidth", "0"))
