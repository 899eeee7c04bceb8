"""Files that lead players to others, as they read one folder up: each address behind a prefix."""

from __future__ import annotations

import json
import re

from nextstream.domain import dash

_URI = re.compile(r'\bURI="')


def lift(name: str, text: str, prefix: str) -> str:
    """Give a playlist, manifest or storyboard that we wrote for a folder, for the one above it."""
    return _LIFTS[name.rpartition(".")[2]](text, prefix)


def _lift_playlist(text: str, prefix: str) -> str:
    # No quoted string of ours holds a quotation mark, so a URI's can't be taken for a name's.
    tagged = _URI.sub(f'URI="{prefix}', text)
    return re.sub(r"^(?=[^#\n])", prefix, tagged, flags=re.MULTILINE)


def _lift_manifest(text: str, prefix: str) -> str:
    mpd = dash.read(text)
    for template in mpd.iter("SegmentTemplate"):
        for name in ("initialization", "media"):
            template.set(name, prefix + template.get(name, ""))
    for base in mpd.iter("BaseURL"):
        base.text = prefix + (base.text or "")
    return dash.write(mpd)


def _lift_storyboard(text: str, prefix: str) -> str:
    return re.sub(r"^(?=\d+\.jpg#)", prefix, text, flags=re.MULTILINE)


def _lift_description(text: str, prefix: str) -> str:
    body = json.loads(text)
    for sheet in body["sheets"]:
        sheet["url"] = prefix + sheet["url"]
    return json.dumps(body) + "\n"


_LIFTS = {
    "m3u8": _lift_playlist,
    "mpd": _lift_manifest,
    "vtt": _lift_storyboard,
    "json": _lift_description,
}
