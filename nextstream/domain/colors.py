"""What a picture's numbers mean: what is believed of it, and the steps that make it BT.709's.

ffmpeg's scaler knows the usual matrices and no curves; it refuses frames that are told to be in any
other. So it is never told: frames carry plain names, and true ones only where zscale takes over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nextstream.domain.source import Caution, Color, VideoTrack

Step = tuple[str, dict[str, Any]]

SD_LINES = 576  # up to here pictures that don't say so are BT.601's, above it BT.709's

_ALPHA = ("yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya8", "ya16", "pal8")
_RGB = ("gbr", "rgb", "bgr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr")
_FLOAT = ("f32", "f16")  # pictures that are rendered, as numbers in proportion to light

# Matrices the scaler knows, in its names,
_MATRICES = {
    "bt709": "bt709",
    "bt470bg": "bt601",
    "smpte170m": "bt601",
    "smpte240m": "smpte240m",
    "fcc": "fcc",
    "bt2020nc": "bt2020",
}
# and those that only zscale knows, as it does curves that aren't a display's.
_DEAR_MATRICES = ("bt2020c", "ycgco", "ictcp", "chroma-derived-nc", "chroma-derived-c")
_LIGHT = "linear"
_DEAR_CURVES = (_LIGHT, "log100", "log316")
# Primaries that differ from BT.709's enough to be seen, in `colorspace`'s names.
_PRIMARIES = {
    "bt470m": "bt470m",
    "bt470bg": "bt470bg",
    "smpte170m": "smpte170m",
    "smpte240m": "smpte240m",
    "smpte428": "smpte428",
    "smpte431": "smpte431",
    "smpte432": "smpte432",
    "bt2020": "bt2020",
    "film": "film",
    "jedec-p22": "jedec-p22",
    "ebu3213": "jedec-p22",  # the same by its other name
}

_HLG = "arib-std-b67"
_NOMINAL_PEAK = 100  # the brightness, in cd/m2, that the tone curve takes as 1
# 1000 cd/m2, as nearly all are mastered for. Said, since without metadata ffmpeg takes 10,000,
# and everything becomes dark; and so that it is the same in every chunk.
_PEAK = 10


def settle(track: VideoTrack, *, has_zscale: bool) -> tuple[Color, tuple[Caution, ...]]:
    """Give the colours as this ffmpeg can treat them, and what is to be said of it.

    Without zscale an HDR picture is taken for SDR: it looks flat and pale, but it is there.
    """
    color = track.color
    if color.is_dolby_alone:
        return color, (_caution("Dolby Vision without a base for others can't be shown right."),)
    if color.is_hdr and not has_zscale:
        flat = _caution("The colours look pale: this server's ffmpeg lacks zscale, which HDR needs.")
        return replace(color, matrix=_cheap(color.matrix), transfer="bt709"), (flat,)
    known = {"", "gbr", *_MATRICES, *_DEAR_MATRICES}
    if color.matrix not in known or (is_dear(track) and not has_zscale):
        odd = _caution(f"The colours are guessed: no filter knows {color.matrix} {color.transfer}.")
        return replace(color, matrix=_cheap(color.matrix), transfer="bt709"), (odd,)
    return color, ()


def is_dear(track: VideoTrack) -> bool:
    """Tell what takes zscale: HDR, and SDR of rare matrices or curves."""
    color = track.color
    rare = color.matrix in _DEAR_MATRICES or _curve(track) in _DEAR_CURVES
    return color.is_hdr or (rare and not color.is_dolby_alone)


def has_alpha(track: VideoTrack) -> bool:
    """Tell pictures that may be transparent."""
    return track.pixel_format.startswith(_ALPHA)


def tell_plainly(track: VideoTrack) -> list[Step]:
    """Give what makes frames of any kind such as the scaler takes; it changes no numbers."""
    told = _tell(track, "bt709", "bt709", "gbr" if _is_rgb(track) else _plain_matrix(track))
    if not _is_limited_grey(track):
        return [told]
    # The scaler takes grey for full range whatever it is told: as such it becomes YUV.
    deep = "yuv420p" if track.pixel_format == "gray" else "yuv420p12le"
    whole = ("scale", {"in_range": "pc", "out_range": "pc"})
    return [whole, ("format", {"pix_fmts": deep}), told]


def convert_dear(track: VideoTrack, width: int, height: int) -> list[Step]:
    """Give what zscale does, once for all rungs; `width` and `height` are those of the largest."""
    if track.color.is_hdr:
        # Scaled first, since tone mapping is dear: in 32 bit floating point for each pixel.
        return _map_tones(track, width, height)
    color, curve = track.color, _curve(track)
    wide = "bt2020" if color.matrix == "bt2020c" else "bt709"
    true = (
        color.primaries or wide,
        curve if curve in _DEAR_CURVES else "bt709",
        _true_matrix(track, wide),
    )
    # Light becomes what the screens of browsers and image viewers show alike.
    shown = "iec61966-2-1" if curve == _LIGHT else "bt709"
    made = {"p": "bt709", "t": shown, "m": "bt709", "r": "limited"}
    return [
        _tell(track, *true),
        ("zscale", {"w": width, "h": height, **made}),
        ("format", {"pix_fmts": "yuv420p"}),
    ]


def scaling(track: VideoTrack) -> dict[str, Any]:
    """Give the options of `scale` that make the matrix and range those of `convert` or BT.709."""
    given = _scalers_matrix(track)
    options = {"out_range": "tv", "out_color_matrix": given if _primaries(track) else "bt709"}
    if not _is_rgb(track):
        full = track.color.is_full_range and not is_dear(track)
        options |= {"in_color_matrix": given, "in_range": "pc" if full else "tv"}
    return options


def convert(track: VideoTrack) -> list[Step]:
    """Give what changes the primaries, where they aren't BT.709's; the curve is as good as the same."""
    if not (primaries := _primaries(track)):
        return []
    matrix = _scalers_matrix(track)
    space = {"bt601": "smpte170m", "bt2020": "bt2020nc"}.get(matrix, matrix)
    options = {"all": "bt709", "iall": "bt709", "ispace": space, "iprimaries": primaries}
    return [("format", {"pix_fmts": "yuv420p"}), ("colorspace", {**options, "irange": "tv"})]


def _map_tones(track: VideoTrack, width: int, height: int) -> list[Step]:
    color = track.color
    # HLG's system gamma is of red, green and blue together: approximated it is of each apart.
    approximate = int(color.transfer != _HLG)
    return [
        _tell(track, color.primaries or "bt2020", color.transfer, _true_matrix(track, "bt2020nc")),
        ("zscale", {"w": width, "h": height}),
        ("zscale", {"t": "linear", "npl": _NOMINAL_PEAK, "agamma": approximate}),
        ("format", {"pix_fmts": "gbrpf32le"}),
        ("zscale", {"p": "bt709"}),
        ("tonemap", {"tonemap": "hable", "desat": 0, "peak": _PEAK}),
        ("zscale", {"p": "bt709", "t": "bt709", "m": "bt709", "r": "limited"}),
        ("format", {"pix_fmts": "yuv420p"}),
    ]


def _tell(track: VideoTrack, primaries: str, curve: str, matrix: str) -> Step:
    names = {"color_primaries": primaries, "color_trc": curve, "colorspace": matrix}
    is_full = track.color.is_full_range or matrix == "gbr"
    return "setparams", {**names, "range": "pc" if is_full else "tv"}


def _curve(track: VideoTrack) -> str:
    """Give the curve; pictures that are rendered as light, and don't say so, have none."""
    is_light = not track.color.transfer and any(kind in track.pixel_format for kind in _FLOAT)
    return _LIGHT if is_light else track.color.transfer


def _by_size(track: VideoTrack) -> str:
    return "smpte170m" if min(track.width, track.height) <= SD_LINES else "bt709"


def _plain_matrix(track: VideoTrack) -> str:
    """Give a matrix the scaler knows, in the names of frames; by size where nothing says so."""
    return track.color.matrix if track.color.matrix in _MATRICES else _by_size(track)


def _true_matrix(track: VideoTrack, otherwise: str) -> str:
    """Give the matrix for zscale; what may be transparent is RGB by then."""
    return "gbr" if _is_rgb(track) or has_alpha(track) else track.color.matrix or otherwise


def _scalers_matrix(track: VideoTrack) -> str:
    """Give how brightness and colour are mixed, in the scaler's names."""
    if is_dear(track) or _is_rgb(track):  # converted by now, or for us to choose
        return "bt709"
    return _MATRICES[_plain_matrix(track)]


def _primaries(track: VideoTrack) -> str:
    return "" if is_dear(track) else _PRIMARIES.get(track.color.primaries, "")


def _cheap(matrix: str) -> str:
    return matrix if matrix in _MATRICES else ""


def _is_rgb(track: VideoTrack) -> bool:
    return track.pixel_format.startswith(_RGB)


def _is_limited_grey(track: VideoTrack) -> bool:
    return track.pixel_format.startswith("gray") and not track.color.is_full_range


def _caution(message: str) -> Caution:
    return Caution("colors_approximate", message)
