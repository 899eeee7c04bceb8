"""How a source's picture becomes one every player shows alike: upright, progressive, 8 bits, BT.709.

Each step is a filter of ffmpeg with its options. `before_grid` sees all frames that are decoded,
`after_grid` only those of the chunk; then each rung is made by `scale`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nextstream.domain.video import Caution, Color, VideoTrack

Step = tuple[str, dict[str, Any]]

HOLD_S = 5  # a still picture, to be a video, is shown this long
SD_LINES = 576  # up to here pictures that don't say so are BT.601's, above it BT.709's

_DOLBY_ALONE = 5  # the one profile whose base is neither SDR, HDR10 nor HLG
_ALPHA = ("yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya8", "ya16", "pal8")
_RGB = ("gbr", "rgb", "bgr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr")
_MATRICES = {
    "bt709": "bt709",
    "bt470bg": "bt601",
    "smpte170m": "bt601",
    "smpte240m": "smpte240m",
    "fcc": "fcc",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
}
# Those that differ from BT.709's enough to be seen, in `colorspace`'s names.
_PRIMARIES = {
    name: name
    for name in [
        "bt470m",
        "bt470bg",
        "smpte170m",
        "smpte240m",
        "smpte431",
        "smpte432",
        "bt2020",
        "film",
        "jedec-p22",
    ]
}

_HLG = "arib-std-b67"
_NOMINAL_PEAK = 100  # the brightness, in cd/m2, that the tone curve takes as 1
# 1000 cd/m2, as nearly all are mastered for. Said, since without metadata ffmpeg takes 10,000,
# and everything becomes dark; and so that it is the same in every chunk.
_PEAK = 10


def settle_color(track: VideoTrack, *, can_map_tones: bool) -> tuple[Color, tuple[Caution, ...]]:
    """Give the colours as this ffmpeg can treat them, and what is to be said of it.

    Without zscale an HDR picture is taken for SDR: it looks flat and pale, but it is there.
    """
    color = track.color
    if color.dolby_profile == _DOLBY_ALONE:
        return color, (Caution("colors_approximate", "Dolby Vision profile 5 can't be shown right."),)
    if color.is_hdr and not can_map_tones:
        flat = "The colours look pale: this server's ffmpeg lacks zscale, which HDR needs."
        return replace(color, transfer="bt709"), (Caution("colors_approximate", flat),)
    return color, ()


def before_grid(track: VideoTrack) -> list[Step]:
    """Give what has to see every decoded frame: fields become frames, at double the rate."""
    steps: list[Step] = []
    if track.fields or track.turned or track.mirrored or track.color.is_hdr or _has_alpha(track):
        # Other filters than scalers can't follow a picture that changes its size; as wide as it is
        # shown, since fields may be scaled across, but not along.
        width, height = _upright(track, track.width, track.height)
        steps.append(("scale", {"w": width, "h": height}))
    if track.fields:
        # A frame for each field, of all frames: some have no flag of their own.
        steps.append(("bwdif", {"mode": "send_field", "parity": track.fields, "deint": "all"}))
    return steps


def after_grid(track: VideoTrack, width: int, height: int) -> list[Step]:
    """Give what is done once for all rungs; `width` and `height` are those of the largest of them."""
    steps: list[Step] = []
    if _has_alpha(track):
        # What is transparent becomes black, not the colour that lies hidden beneath.
        steps += [("format", {"pix_fmts": "gbrap"}), ("premultiply", {"inplace": 1})]
    if track.color.is_hdr:
        # Scaled first, since tone mapping is dear: in 32 bit floating point for each pixel.
        steps += _tone_map(track.color, *_upright(track, width, height))
    return steps + _turn(track)


def scale(track: VideoTrack | None, width: int, height: int) -> list[Step]:
    """Give what makes the picture of one rung: its size, in BT.709 and limited range."""
    if track is None:  # a plan of before there was any treatment
        return [("scale", {"w": width, "h": height}), *_FINISH]
    given = _matrix(track)
    primaries = "" if track.color.is_hdr else _PRIMARIES.get(track.color.primaries, "")
    options: dict[str, Any] = {"w": width, "h": height, "out_range": "tv"}
    options["out_color_matrix"] = given if primaries else "bt709"
    if not _is_rgb(track):
        options["in_color_matrix"] = given
        options["in_range"] = "pc" if track.color.is_full_range and not track.color.is_hdr else "tv"
    return [("scale", options), *_convert(primaries, given), *_FINISH]


def _matrix(track: VideoTrack) -> str:
    """Give how brightness and colour are mixed, in `scale`'s names; by size where nothing says so."""
    if track.color.is_hdr or _is_rgb(track):  # tone mapped by now, or for us to choose
        return "bt709"
    by_size = "bt601" if min(track.width, track.height) <= SD_LINES else "bt709"
    return _MATRICES.get(track.color.matrix, by_size)


def _convert(primaries: str, matrix: str) -> list[Step]:
    """Give what changes the primaries, where they aren't BT.709's; the curve is as good as the same."""
    if not primaries:
        return []
    space = {"bt601": "smpte170m", "bt2020": "bt2020nc"}.get(matrix, matrix)
    options = {"all": "bt709", "iall": "bt709", "ispace": space, "iprimaries": primaries}
    return [("format", {"pix_fmts": "yuv420p"}), ("colorspace", {**options, "irange": "tv"})]


def _upright(track: VideoTrack, width: int, height: int) -> tuple[int, int]:
    """Give a shown size as it is before the picture is turned."""
    return (height, width) if track.turned % 180 else (width, height)


def _has_alpha(track: VideoTrack) -> bool:
    return track.pixel_format.startswith(_ALPHA)


def _is_rgb(track: VideoTrack) -> bool:
    return track.pixel_format.startswith(_RGB)


_FINISH: list[Step] = [
    ("setsar", {"sar": 1}),
    ("format", {"pix_fmts": "yuv420p"}),
    # What the source said beside its frames, of turning, of HDR, of captions, isn't true any more.
    ("sidedata", {"mode": "delete"}),
    # The numbers are BT.709's now, whatever the frames said when they came.
    (
        "setparams",
        {
            "color_primaries": "bt709",
            "color_trc": "bt709",
            "colorspace": "bt709",
            "range": "tv",
            "field_mode": "prog",
        },
    ),
]


def _turn(track: VideoTrack) -> list[Step]:
    steps: list[Step] = [("hflip", {})] if track.mirrored else []
    if track.turned == 180:
        return [*steps, ("hflip", {}), ("vflip", {})]
    if track.turned:
        steps.append(("transpose", {"dir": "clock" if track.turned == 90 else "cclock"}))
    return steps


def _tone_map(color: Color, width: int, height: int) -> list[Step]:
    given = {
        "tin": color.transfer,
        "min": color.matrix or "bt2020nc",
        "pin": color.primaries or "bt2020",
        "rin": "full" if color.is_full_range else "limited",
    }
    # HLG's system gamma is of red, green and blue together: approximated it is of each apart.
    approximate = int(color.transfer != _HLG)
    return [
        ("zscale", {"w": width, "h": height, **given}),
        ("zscale", {"t": "linear", "npl": _NOMINAL_PEAK, "agamma": approximate, **given}),
        ("format", {"pix_fmts": "gbrpf32le"}),
        ("zscale", {"p": "bt709"}),
        ("tonemap", {"tonemap": "hable", "desat": 0, "peak": _PEAK}),
        ("zscale", {"p": "bt709", "t": "bt709", "m": "bt709", "r": "limited"}),
        ("format", {"pix_fmts": "yuv420p"}),
    ]
