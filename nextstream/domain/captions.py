"""Subtitles: WebVTT, SubRip and ASS from strangers become cues, and cues WebVTT that is safe.

Nothing of the input reaches the output as it was: cues are built anew of what is understood.
Sections in this file are of the W3C's WebVTT.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from nextstream.domain import substation
from nextstream.errors import SubtitlesInvalid

MAX_BYTES = 1024**2  # a film's subtitles have a tenth of it
MAX_TAKEN_BYTES = 4 * MAX_BYTES  # of a source's own: scripts draw more than they say
CUES_MAX = 20_000
TEXT_MAX = 2_000  # characters of a cue
LATEST_S = 100 * 3600

# One .vtt for the whole film, so HLS wants to know which time of the segments its times mean
# (RFC 8216, 3.5): ours start at 0.
_HEAD = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s+(.*))?\s*")
# Where a cue stands (3.4); regions and styles are not taken over, so none can be named.
_SETTING = re.compile(
    r"(?:vertical:(?:rl|lr)|line:-?\d{1,4}(?:\.\d{1,3})?%?(?:,(?:start|center|end))?"
    r"|position:\d{1,3}(?:\.\d{1,3})?%(?:,(?:line-left|center|line-right))?"
    r"|size:\d{1,3}(?:\.\d{1,3})?%|align:(?:start|center|end|left|right))"
)
_TAG = re.compile(r"<(/?)([a-z]+)((?:\.[A-Za-z0-9_]{1,40})*)(?:[ \t\n]([^<>]*))?>", re.IGNORECASE)
_SPANS = frozenset({"i", "b", "u", "c", "v", "ruby", "rt"})  # what a cue may hold (3.5)
_ANNOTATED = frozenset({"v"})  # <v Name>
# Marks of other formats, and times inside a cue: no player should show them as text.
_DROPPED = re.compile(
    r"</?(?:font|span|s|strike|lang|br)\b[^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}", re.IGNORECASE
)
_UNFIT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


# How Windows wrote languages before UTF-8, where it isn't cp1252.
_OLD = {
    **dict.fromkeys(("cs", "hr", "hu", "pl", "ro", "sk", "sl"), "cp1250"),
    **dict.fromkeys(("be", "bg", "mk", "ru", "sr", "uk"), "cp1251"),
    **dict.fromkeys(("et", "lt", "lv"), "cp1257"),
    "el": "cp1253",
    "tr": "cp1254",
    "he": "cp1255",
    "ar": "cp1256",
    "fa": "cp1256",
    "vi": "cp1258",
    "th": "cp874",
    "ja": "cp932",
    "ko": "cp949",
    "zh": "gb18030",
}
_OLD_TRADITIONAL, _TRADITIONAL = "cp950", ("zh-hant", "zh-tw", "zh-hk")


@dataclass(frozen=True)
class Cue:
    """One text and when it is shown; `text` is WebVTT cue text that is well formed and safe."""

    start_s: Fraction
    end_s: Fraction
    text: str
    settings: str = ""


def read(data: bytes, most_bytes: int = MAX_BYTES, language: str = "") -> tuple[Cue, ...]:
    """Read WebVTT, SubRip or ASS, in order of time; raises SubtitlesInvalid where no cue is in it.

    `language`, a tag of RFC 5646, tells which characters are meant by what is no UTF.

    Cues that make no sense are left out, as players do.
    """
    if len(data) > most_bytes:
        raise SubtitlesInvalid("The subtitles are larger than 1 MB; upload plain SRT or WebVTT.")
    cues = []
    for cue in _cues(_decode(data, language)):
        cues.append(cue)
        if len(cues) > CUES_MAX:
            raise SubtitlesInvalid(f"The subtitles have more than {CUES_MAX} cues.")
    if not cues:
        raise SubtitlesInvalid
    return tuple(sorted(cues, key=lambda cue: cue.start_s))


def _cues(text: str) -> Iterator[Cue]:
    if substation.is_script(text):
        # Shadows and borders are often the same words once more.
        for start_s, end_s, said in dict.fromkeys(substation.read(text)):
            if cue := _make(start_s, end_s, said):
                yield cue
        return
    for block in re.split(r"\n{2,}", text):
        if cue := _cue(block.strip("\n").split("\n")):
            yield cue


def write(cues: Sequence[Cue]) -> str:
    """Write cues as WebVTT for HLS and DASH."""
    return "\n".join([_HEAD, *(_block(cue) for cue in cues)])


def shift(cues: Sequence[Cue], by_s: Fraction, duration_s: Fraction) -> tuple[Cue, ...]:
    """Move cues in time, and cut off what is before 0 or after the end."""
    moved = (
        replace(
            cue, start_s=max(cue.start_s + by_s, Fraction(0)), end_s=min(cue.end_s + by_s, duration_s)
        )
        for cue in cues
    )
    return tuple(cue for cue in moved if cue.start_s < cue.end_s)


def _decode(data: bytes, language: str) -> str:
    """Give the text with plain line ends; what is no UTF is as Windows writes its language."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        tag = language.lower()
        written = _OLD_TRADITIONAL if tag.startswith(_TRADITIONAL) else _OLD.get(tag.partition("-")[0])
        text = data.decode(written or "cp1252", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _cue(lines: Sequence[str]) -> Cue | None:
    """Read a block: an id, which is left out, then a timing line, then text."""
    for n, line in enumerate(lines[:2]):
        if timing := _TIMING.fullmatch(line):
            text = "\n".join(lines[n + 1 :])
            return _make(_seconds(timing, 1), _seconds(timing, 5), text, timing[9] or "")
    return None


def _make(start_s: Fraction, end_s: Fraction, text: str, settings: str = "") -> Cue | None:
    said = _clean(text)
    sensible = said and start_s < end_s <= LATEST_S
    return Cue(start_s, end_s, said, _settings(settings)) if sensible else None


def _seconds(timing: re.Match[str], first: int) -> Fraction:
    hours, minutes, seconds, part = (timing[first + n] or "0" for n in range(4))
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + Fraction(int(part.ljust(3, "0")), 1000)


def _settings(text: str) -> str:
    found = {word.partition(":")[0]: word for word in text.split() if _SETTING.fullmatch(word)}
    return " ".join(found.values())


def _clean(text: str) -> str:
    """Give cue text of known spans, each closed, and of escaped characters; no line is empty."""
    text = _DROPPED.sub("", _UNFIT.sub("", text[:TEXT_MAX].replace("\t", " ")))
    lines = (line.strip() for line in "".join(_spans(text)).split("\n"))
    return "\n".join(line for line in lines if line)


def _spans(text: str) -> Iterator[str]:
    opened: list[str] = []
    at = 0
    for tag in _TAG.finditer(text):
        name = tag[2].lower()
        if name not in _SPANS:
            continue  # and is escaped with the text after it
        yield _escape(text[at : tag.start()])
        at = tag.end()
        if not tag[1]:
            opened.append(name)
            yield _open(name, tag[3], tag[4] or "")
        elif name in opened:
            while opened[-1] != name:
                yield f"</{opened.pop()}>"
            yield f"</{opened.pop()}>"
    yield _escape(text[at:])
    yield from (f"</{name}>" for name in reversed(opened))


def _open(name: str, classes: str, annotation: str) -> str:
    # Without a dash at its end: "-->" would make a timing of the line.
    said = _escape(" ".join(annotation.split())).rstrip("-") if name in _ANNOTATED else ""
    return f"<{name}{classes}{' ' if said else ''}{said}>"


def _escape(text: str) -> str:
    """Escape text, which may be escaped already (3.5: character references)."""
    plain = _UNFIT.sub("", html.unescape(text))
    return html.escape(plain, quote=False).replace("\u00a0", "&nbsp;")


def _block(cue: Cue) -> str:
    timing = f"{_clock(cue.start_s)} --> {_clock(cue.end_s)}"
    return f"{timing} {cue.settings}".rstrip() + f"\n{cue.text}\n"


def _clock(seconds: Fraction) -> str:
    millis = round(seconds * 1000)
    minutes, rest = divmod(millis, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
