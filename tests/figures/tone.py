"""HDR10 and HLG patches of known light, as they are made SDR: brightness and hue against the curve.

    python -m tests.figures.tone [FOLDER]

With a folder, each kind becomes a picture pair there: above the numbers shown as they are, below as
we make them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests import patches, sources


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    print("| | patch | luma | expected | hue | expected |\n| --- | --- | --- | --- | --- | --- |")
    for kind in patches.TRANSFERS:
        with tempfile.TemporaryDirectory() as place:
            film = patches.make(Path(place, "film.mp4"), kind)
            made = patches.treat(film)
            if folder:
                pair(film, made, folder / f"tone-{kind.lower()}.jpg")
        off = []
        for name, light in patches.PATCHES.items():
            wanted, got = patches.expected(light), made[name]
            off.append(got[0] - wanted[0])
            hues = (
                "| |"
                if max(light) == min(light)
                else f"{patches.hue(got):.0f} | {patches.hue(wanted):.0f} |"
            )
            print(f"| {kind} | {name} | {got[0]} | {wanted[0]:.1f} | {hues}")
        print(
            f"| {kind} | mean | {sum(v[0] for v in made.values()) / len(made):.1f} | "
            f"{sum(v[0] - o for v, o in zip(made.values(), off, strict=True)) / len(made):.1f} | | |"
        )


def pair(film: Path, made: dict[str, tuple[int, int, int]], picture: Path) -> None:
    """Draw the film's own numbers above what we make of them."""
    side = patches.SIDE
    below = b"".join(bytes([y]) * side for y, _, _ in made.values()) * side
    for plane in (1, 2):
        below += b"".join(bytes([v[plane]]) * (side // 2) for v in made.values()) * (side // 2)
    raw = film.with_suffix(".below")
    raw.write_bytes(below)
    size = f"{side * len(made)}x{side}"
    plain = "[0:v]setparams=color_trc=bt709:color_primaries=bt709,format=yuv420p[a];"
    sources.run(
        *("-i", film, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-i", raw),
        *(
            "-filter_complex",
            f"{plain}[a][1:v]vstack,scale=in_color_matrix=bt709:out_color_matrix=bt601:out_range=pc",
        ),
        *("-frames:v", "1", "-q:v", "3", picture),
    )


if __name__ == "__main__":
    main()
