"""How sound becomes stereo whose channels ffmpeg can't mix by itself, in words of its filter `pan`."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_CHANNELS = 64  # what ffmpeg's filters take

# As many channels of no known places are taken for these, in this order, by ffmpeg and by WAV's readers.
_USUAL = ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")
_CENTER_GAIN = 0.7  # as loud from two loudspeakers as from one
# Not 1: then `pan` only puts channels in another order, by what fails on such layouts.
_ALL = 0.99
_NAMED = re.compile(r"\d+ channels \((.*)\)")  # a layout that has no name
_UNKNOWN = re.compile(r"|unknown|\d+ channels")
# Ambisonics (AmbiX order): all around, and what is more to the left than to the right.
# Both sides at full level, as players give one channel; ffmpeg's own way takes 3 dB from it. Sides are
# named too, for a broadcast whose sound turns stereo.
_ONE = re.compile(r"|mono|unknown|1 channels( \(FC\))?")
_MONO = "stereo|FL=FL+FC|FR=FR+FC"
_ANY = "stereo|c0=c0|c1=c0"
_AMBISONIC = "stereo|c0=0.5*c0+0.5*c1|c1=0.5*c0-0.5*c1"


def stereo(layout: str, channels: int) -> str:
    """Give how a layout, as ffprobe names it, becomes stereo; empty where ffmpeg knows it itself.

    It makes one channel quieter. It knows the layouts with a name and fewer than nine channels without
    one, and fails on all others: the side pair of a film in a track of its own, sixteen microphones, a
    picture's sound all around it.
    """
    if channels < 2:
        return _MONO if _ONE.fullmatch(layout) else _ANY
    if layout.startswith("ambisonic"):
        return _AMBISONIC
    if named := _NAMED.fullmatch(layout):
        return _mix(named[1].split("+"))
    if layout == "binaural":
        return _mix(("BIL", "BIR"))
    return _mix(_USUAL) if _UNKNOWN.fullmatch(layout) and channels > len(_USUAL) else ""


def _mix(places: Sequence[str]) -> str:
    left, right = _side(places, "L"), _side(places, "R")
    if not left or not right:  # as they come
        left, right = f"{_ALL:.3f}*c0", f"{_ALL:.3f}*c1"
    return f"stereo|c0={left}|c1={right}"


def _side(places: Sequence[str], side: str) -> str:
    """Sum up the channels of a side and those in the middle; the lowest tones are left out."""
    gains: dict[int, float] = {}
    for n, place in enumerate(places):
        if place == f"F{side}C" or place.endswith(side):
            gains[n] = 1
        elif place.endswith("C") and place not in ("FLC", "FRC"):
            gains[n] = _CENTER_GAIN
    whole = sum(gains.values())
    return "+".join(f"{_ALL * gain / whole:.3f}*c{n}" for n, gain in gains.items())
