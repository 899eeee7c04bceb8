"""What audio tracks are called in manifests: language tags and names that any player can read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, count

import langcodes

from nextstream.domain.video import Rendition

UNDETERMINED = "und"

_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.IGNORECASE)
_UNFIT = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})  # controls, halves of a pair, no characters, breaks


def language(code: str) -> str:
    """Give the RFC 5646 tag for a source's language code: `en` for `eng`, `und` for what is none."""
    return langcodes.standardize_tag(code) if _TAG.fullmatch(code) else UNDETERMINED


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


def _name(rendition: Rendition) -> str:
    tag = langcodes.Language.get(language(rendition.language))
    spoken = tag.language_name() if tag.language and tag.is_valid() else ""
    return clean(rendition.title or "") or spoken or "Audio"
