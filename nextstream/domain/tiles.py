"""Pictures stored in tiles, as phones' HEIC is: found in what ffprobe says, and put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nextstream.domain.colors import Step
from nextstream.domain.source import Grid, Tile

Stream = Mapping[str, Any]


def find(found: Mapping[str, Any], known: Sequence[Stream]) -> list[Stream]:
    """Give each whole picture as a stream of its own: its first tile's, with `grid` and its size.

    `known` are the streams that can be decoded; a picture that lacks one of them is left out.
    """
    by_index = {stream["index"]: stream for stream in known}
    mosaics = []
    for group in found.get("stream_groups", []):
        for part in group.get("components", []) if group.get("type") == "Tile Grid" else []:
            grid = _grid(part)
            if grid.tiles and all(tile.index in by_index for tile in grid.tiles):
                mosaics.append(_mosaic(group, part, grid, by_index[grid.tiles[0].index]))
    return mosaics


def count_spare(mosaics: Iterable[Stream]) -> int:
    """Give how many streams are but further tiles of a picture, and no tracks."""
    return sum(len(mosaic["grid"].tiles) - 1 for mosaic in mosaics)


def join(grid: Grid) -> list[Step]:
    """Give the filters that make one picture of all tiles, which are their inputs in order."""
    layout = "|".join(f"{tile.x}_{tile.y}" for tile in grid.tiles)
    shown = {"w": grid.width, "h": grid.height, "x": grid.x, "y": grid.y}
    # To the pixel, also where colours are stored for two of them.
    crop: Step = ("crop", {**shown, "exact": 1})
    if len(grid.tiles) == 1:
        return [crop]
    return [("xstack", {"inputs": len(grid.tiles), "layout": layout}), crop]


def _grid(part: Mapping[str, Any]) -> Grid:
    tiles = tuple(
        Tile(sub["stream_index"], sub["tile_horizontal_offset"], sub["tile_vertical_offset"])
        for sub in part.get("subcomponents", [])
    )
    return Grid(tiles, part["horizontal_offset"], part["vertical_offset"], part["width"], part["height"])


def _mosaic(group: Stream, part: Stream, grid: Grid, first: Stream) -> Stream:
    sides = part.get("side_data_list") or group.get("side_data_list") or []
    whole = {
        "width": grid.width,
        "height": grid.height,
        "disposition": group.get("disposition", {}),
        "side_data_list": sides,
        "grid": grid,
    }
    return {**first, **whole}
