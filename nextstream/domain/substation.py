"""SubStation Alpha (ASS and SSA): what its lines say and when, without how and where they are drawn."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

_BLOCK = re.compile(r"(?<!\\)(\{[^{}]*\})")  # overrides, and comments of who wrote them
_OVERRIDE = re.compile(r"\\(?:(p|i|b|u)(\d+)|r)")
_TIME = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})[.:](\d{1,3})")
_SPANS = {"i": "Italic", "b": "Bold", "u": "Underline"}
_BOLD_FROM = 600  # weights of a font, in place of yes and no

Line = tuple[Fraction, Fraction, str]
Style = Mapping[str, str]


def is_script(text: str) -> bool:
    """Tell a script from other subtitles by its first section."""
    return text.lstrip().startswith("[Script Info]")


def read(text: str) -> Iterator[Line]:
    """Give start, end and text of each line, its slants and weights as WebVTT's spans."""
    styles: dict[str, Style] = {}
    names: Sequence[str] = ()
    for line in text.split("\n"):
        kind, _, rest = line.partition(":")
        if kind == "Format":
            names = [name.strip() for name in rest.split(",")]
        elif kind in ("Style", "Dialogue") and names:
            found = dict(zip(names, map(str.strip, rest.split(",", len(names) - 1)), strict=False))
            if kind == "Style":
                styles[found.get("Name", "").lstrip("*")] = found
            elif said := _said(found, styles):
                yield said


def _said(found: Mapping[str, str], styles: Mapping[str, Style]) -> Line | None:
    start, end = (_TIME.fullmatch(found.get(name, "")) for name in ("Start", "End"))
    if not start or not end:
        return None
    style = styles.get(found.get("Style", "").lstrip("*"), {})
    return _seconds(start), _seconds(end), "".join(_shown(found.get("Text", ""), style))


def _seconds(time: re.Match[str]) -> Fraction:
    whole = int(time[1]) * 3600 + int(time[2]) * 60 + int(time[3])
    return whole + Fraction(int(time[4]), 10 ** len(time[4]))


def _shown(text: str, style: Style) -> Iterator[str]:
    """Give what is to be read of a line: the words of drawings are numbers."""
    by_style = {span: style.get(name, "0") not in ("", "0") for span, name in _SPANS.items()}
    wanted, given = dict(by_style), dict.fromkeys(_SPANS, False)
    draws = False
    for part in _BLOCK.split(text):
        if part.startswith("{") and part.endswith("}"):
            for name, value in _OVERRIDE.findall(part):
                if name == "p":
                    draws = value != "0"
                elif name:
                    wanted[name] = value == "1" or int(value[:4]) >= _BOLD_FROM
                else:
                    wanted = dict(by_style)
        elif part and not draws:
            yield from (f"<{'' if wanted[s] else '/'}{s}>" for s in _SPANS if wanted[s] != given[s])
            given = dict(wanted)
            yield _plain(part)


def _plain(text: str) -> str:
    """Give text with its line breaks, escaped as WebVTT's is."""
    for code, meant in ((r"\N", "\n"), (r"\n", "\n"), (r"\h", "\u00a0"), (r"\{", "{"), (r"\}", "}")):
        text = text.replace(code, meant)
    return html.escape(text, quote=False)
