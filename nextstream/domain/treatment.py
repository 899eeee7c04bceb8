"""How a source's picture becomes one every player shows alike: upright, progressive, 8 bits, BT.709.

Each step is a filter of ffmpeg with its options. `before_grid` sees all frames that are decoded,
`after_grid` only those of the chunk; then each rung is made by `scale`.
"""

from __future__ import annotations

from typing import Any

from nextstream.domain import colors
from nextstream.domain.colors import Step
from nextstream.domain.source import VideoTrack

HOLD_S = 5  # a still picture, to be a video, is shown this long


def before_grid(track: VideoTrack) -> list[Step]:
    """Give what has to see every decoded frame: fields become frames, at double the rate."""
    steps = colors.tell_plainly(track)
    dear = colors.is_dear(track)
    if track.fields or track.turned or track.mirrored or dear or colors.has_alpha(track):
        # Other filters than scalers can't follow a picture that changes its size; as wide as it is
        # shown, since fields may be scaled across, but not along.
        width, height = _upright(track, track.width, track.height)
        if dear:  # zscale takes no odd sizes of 4:2:0
            width, height = width + width % 2, height + height % 2
        steps.append(("scale", {"w": width, "h": height}))
    if track.fields:
        # A frame for each field, of all frames: some have no flag of their own.
        steps.append(("bwdif", {"mode": "send_field", "parity": track.fields, "deint": "all"}))
    return steps


def after_grid(track: VideoTrack, width: int, height: int) -> list[Step]:
    """Give what is done once for all rungs; `width` and `height` are those of the largest of them."""
    steps: list[Step] = []
    if colors.has_alpha(track):
        # What is transparent becomes black, not the colour that lies hidden beneath.
        deep = "gbrap16le" if colors.is_dear(track) else "gbrap"
        steps += [("format", {"pix_fmts": deep}), ("premultiply", {"inplace": 1})]
    if colors.is_dear(track):
        steps += colors.convert_dear(track, *_upright(track, width, height))
    return steps + _turn(track)


def scale(track: VideoTrack | None, width: int, height: int) -> list[Step]:
    """Give what makes the picture of one rung: its size, in BT.709 and limited range."""
    size: dict[str, Any] = {"w": width, "h": height}
    if track is None:  # a plan of before there was any treatment
        return [("scale", size), *_FINISH]
    return [("scale", size | colors.scaling(track)), *colors.convert(track), *_FINISH]


def _upright(track: VideoTrack, width: int, height: int) -> tuple[int, int]:
    """Give a shown size as it is before the picture is turned."""
    return (height, width) if track.turned % 180 else (width, height)


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
