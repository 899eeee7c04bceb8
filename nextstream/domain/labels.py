"""What sound and subtitles are called in manifests: language tags and names that any player can read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, count

import langcodes

from nextstream.domain.source import Purpose
from nextstream.domain.video import Rendition

UNDETERMINED = "und"
LONGEST_TAG = 35  # RFC 5646, 4.4.1

_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.IGNORECASE)
_UNFIT = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})  # controls, halves of a pair, no characters, breaks


def language(code: str) -> str:
    """Give the RFC 5646 tag for a source's language code: `en` for `eng`, `und` for what is none."""
    if len(code) > LONGEST_TAG or not _TAG.fullmatch(code):
        return UNDETERMINED
    try:
        return langcodes.standardize_tag(code)
    except ValueError:  # its parts are in no order that means something
        return UNDETERMINED


def names(renditions: Sequence[Rendition]) -> tuple[str, ...]:
    """Name each track by its title, else its language; no two alike (RFC 8216, 4.3.4.1.1)."""
    given: dict[str, Rendition] = {}
    for rendition in renditions:
        name = _name(rendition)
        numbered = (f"{name} {n}" for n in count(2))
        given[next(choice for choice in chain([name], numbered) if choice not in given)] = rendition
    return tuple(given)


def clean(text: str) -> str:
    """Give text on one line that is fit for a quoted string of HLS and for XML."""
    fit = "".join(" " if unicodedata.category(c) in _UNFIT else c for c in text)
    return " ".join(fit.replace('"', "'").split())


_WORDS = {
    Purpose.COMMENTARY: "commentary",
    Purpose.DESCRIPTION: "audio description",
    Purpose.CLARITY: "clear speech",
    Purpose.CAPTIONS: "SDH",
    Purpose.FORCED: "forced",
}


def _name(rendition: Rendition) -> str:
    tag = langcodes.Language.get(language(rendition.language))
    spoken = tag.language_name() if tag.language and tag.is_valid() else ""
    spoken = spoken or ("Subtitles" if rendition.is_text else "Audio")
    word = _WORDS.get(rendition.purpose)
    return clean(rendition.title or "") or (f"{spoken} ({word})" if word else spoken)
