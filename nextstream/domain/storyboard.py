"""The storyboard: small pictures at even steps, a sheet of them for each chunk, and their lists.

A chunk's sheet is made by the process that encodes the chunk. What is in which sheet follows from
the plan alone, so nothing has to be noted.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from fractions import Fraction

from nextstream.domain import paths
from nextstream.domain.plan import Piece, Plan, Rung

NAME = "storyboard"  # of a sheet among what an encoder makes of a chunk
MOST_TILES = 300  # so that a long video's storyboard stays as small as a short one's
TILE_SIDE = 160  # the longer side of a tile, in pixels


@dataclass(frozen=True)
class Sheet:
    """The tiles of a chunk in one picture, row by row; `first` counts from 0 over the video."""

    first: int
    tiles: int

    @property
    def columns(self) -> int:
        """Give the tiles in a row, so that the sheet is near to square."""
        return math.isqrt(self.tiles - 1) + 1

    @property
    def rows(self) -> int:
        """Give the rows, the last of which may have room left."""
        return -(-self.tiles // self.columns)


def step_frames(frames: int, gop_frames: int) -> int:
    """Choose the frames between two tiles: as few GOPs as keep a video within MOST_TILES."""
    gops = -(-frames // gop_frames)
    return gop_frames * -(-gops // MOST_TILES)


def rung(plan: Plan) -> Rung:
    """Give the rung whose pictures are made smaller still: the smallest."""
    return min(plan.rungs, key=lambda each: each.width * each.height)


def tile_size(plan: Plan) -> tuple[int, int]:
    """Give a tile's width and height, even and never above the rung's."""
    of = rung(plan)
    scale = min(Fraction(1), Fraction(TILE_SIDE, max(of.width, of.height)))
    return max(2, 2 * round(of.width * scale / 2)), max(2, 2 * round(of.height * scale / 2))


def sheet(plan: Plan, piece: Piece) -> Sheet | None:
    """Give the sheet a piece makes, or None: it has the rung for it, and a tile falls into it."""
    if not plan.tile_frames or not plan.rungs or rung(plan).name not in piece.rungs:
        return None
    first = -(-piece.first_frame // plan.tile_frames)
    after = -(-(piece.first_frame + piece.frames) // plan.tile_frames)
    return Sheet(first, after - first) if after > first else None


def sheets(plan: Plan) -> tuple[Sheet, ...]:
    """Give all sheets of a video in the order of time."""
    found = [one for piece in plan.pieces if (one := sheet(plan, piece))]
    return tuple(sorted(found, key=lambda one: one.first))


def webvtt(plan: Plan, prefix: str = "") -> str:
    """List the tiles as WebVTT cues, each with a sheet's address behind `prefix` and its place there.

    Players take the place as a media fragment, `#xywh=` (Media Fragments URI 1.0, 4.2.2).
    """
    width, height = tile_size(plan)
    cues = ["WEBVTT"]
    for one in sheets(plan):
        for n in range(one.tiles):
            x, y = width * (n % one.columns), height * (n // one.columns)
            begin, end = _time_s(plan, one.first + n), _time_s(plan, one.first + n + 1)
            uri = f"{prefix}{paths.sheet_name(one.first)}#xywh={x},{y},{width},{height}"
            cues.append(f"{_clock(begin)} --> {_clock(end)}\n{uri}")
    return "\n\n".join(cues) + "\n"


def describe(plan: Plan, prefix: str = "") -> str:
    """Describe the sheets as JSON: tile n of the video is shown from `n * interval_s` on."""
    width, height = tile_size(plan)
    body = {
        "interval_s": round(float(plan.tile_frames / plan.rate), 6),
        "duration_s": round(float(plan.duration_s), 6),
        "tile_width": width,
        "tile_height": height,
        "tiles": sum(one.tiles for one in sheets(plan)),
        "sheets": [
            {
                "url": prefix + paths.sheet_name(one.first),
                "first_tile": one.first,
                "tiles": one.tiles,
                "columns": one.columns,
                "rows": one.rows,
            }
            for one in sheets(plan)
        ],
    }
    return json.dumps(body) + "\n"


def _time_s(plan: Plan, tile: int) -> Fraction:
    return min(plan.duration_s, Fraction(tile * plan.tile_frames) / plan.rate)


def _clock(seconds: Fraction) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
