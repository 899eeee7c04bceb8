"""Patches of known light as HDR pictures, and what they should become in SDR."""

from __future__ import annotations

from math import atan2, degrees
from pathlib import Path

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.domain import ffmpeg as commands
from nextstream.domain import ladder, plan
from nextstream.settings import Settings
from tests import sources

Light = tuple[float, float, float]

SIDE = 64
# Light in cd/m2, of red, green and blue with BT.709's primaries.
PATCHES: dict[str, Light] = {
    "grey 5": (5, 5, 5),
    "grey 26": (26, 26, 26),  # 18 % grey by ITU-R BT.2408
    "grey 100": (100, 100, 100),
    "white 203": (203, 203, 203),  # SDR's white by ITU-R BT.2408
    "white 1000": (1000, 1000, 1000),
    "red": (120, 12, 12),
    "green": (12, 120, 12),
    "blue": (12, 12, 120),
    "yellow": (150, 150, 15),
    "cyan": (15, 150, 150),
    "magenta": (150, 15, 150),
    "skin": (110, 65, 48),
}
TRANSFERS = {"HDR10": "smpte2084", "HLG": "arib-std-b67"}

_TO_2020 = ((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956))


def make(path: Path, kind: str, seconds: int = 2) -> Path:
    """Make a film of the patches side by side in HDR10 or HLG."""
    raw = path.with_suffix(".yuv")
    raw.write_bytes(_picture(kind))
    transfer = TRANSFERS[kind]
    size = f"{SIDE * len(PATCHES)}x{SIDE}"
    tags = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited:log-level=error"
    sources.run(
        *("-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", size, "-r", "25"),
        *("-stream_loop", "-1", "-i", raw, "-t", str(seconds)),
        *("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"lossless=1:{tags}"),
        *("-tag:v", "hvc1", path),
    )
    return path


def treat(path: Path) -> dict[str, tuple[int, int, int]]:
    """Give luma, Cb and Cr of each patch as they go into the encoder of the largest rung."""
    encoder, short = FfmpegEncoder(Settings()), SIDE
    found = encoder.probe(str(path), path.stat().st_size)
    assert found.video
    rungs = ladder.choose(found.video, (short,), plan.choose_rate(found.video.rate), 23)
    made = plan.make(found, rungs, (), "ultrafast", 24)
    frames = commands.scaled(commands.picture(str(path), made, made.pieces[0], 1), made, rungs[0])
    raw = path.with_suffix(".out")
    command = frames.output(f"file:{raw}", vframes=1, format="rawvideo").compile(
        cmd=[sources.tools().ffmpeg, "-y", "-nostdin", "-loglevel", "error", "-copyts"]
    )
    sources.run(*command[5:])
    width, height, picture = rungs[0].width, rungs[0].height, raw.read_bytes()
    chroma, half, side = width * height, width // 2, width / len(PATCHES)
    places = {name: int(side * (n + 0.5)) for n, name in enumerate(PATCHES)}
    return {
        name: (
            picture[height // 2 * width + x],
            picture[chroma + height // 4 * half + x // 2],
            picture[chroma + half * height // 2 + height // 4 * half + x // 2],
        )
        for name, x in places.items()
    }


def expected(light: Light) -> tuple[float, float, float]:
    """Give luma, Cb and Cr after Hable's curve up to 1000 cd/m2, with BT.1886's display."""
    brightest = max(light) / 100
    gain = _hable(brightest) / _hable(10) / brightest
    r, g, b = (min(1.0, part / 100 * gain) ** (1 / 2.4) for part in light)
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return 16 + 219 * luma, 128 + 224 * (b - luma) / 1.8556, 128 + 224 * (r - luma) / 1.5748


def hue(made: tuple[float, float, float]) -> float:
    """Give the hue of luma, Cb and Cr in degrees."""
    return degrees(atan2(made[2] - 128, made[1] - 128))


def _hable(x: float) -> float:
    a, b, c, d, e, f = 0.15, 0.50, 0.10, 0.20, 0.02, 0.30
    return (x * (x * a + b * c) + d * e) / (x * (x * a + b) + d * f) - e / f


def _picture(kind: str) -> bytes:
    columns = [_signal(light, kind) for light in PATCHES.values()]
    rows = []
    for plane in range(3):
        side = SIDE if plane == 0 else SIDE // 2
        row = b"".join(round(column[plane]).to_bytes(2, "little") * side for column in columns)
        rows.append(row * side)
    return b"".join(rows)


def _signal(light: Light, kind: str) -> tuple[float, float, float]:
    """Give Y', Cb and Cr of 10 bits, limited range (ITU-R BT.2100)."""
    wide = [sum(m * part for m, part in zip(row, light, strict=True)) for row in _TO_2020]
    if kind == "HDR10":
        r, g, b = (_pq(part) for part in wide)
    else:
        # From the display's light back to the scene's: system gamma 1.2 at 1000 cd/m2.
        shown = (0.2627 * wide[0] + 0.678 * wide[1] + 0.0593 * wide[2]) / 1000
        r, g, b = (_hlg(part / 1000 * shown ** (1 / 1.2 - 1)) for part in wide)
    luma = 0.2627 * r + 0.678 * g + 0.0593 * b
    return 64 + 876 * luma, 512 + 896 * (b - luma) / 1.8814, 512 + 896 * (r - luma) / 1.4746


def _pq(light: float) -> float:
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = (light / 10000) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def _hlg(scene: float) -> float:
    if scene <= 1 / 12:
        return (3 * scene) ** 0.5
    from math import log

    return 0.17883277 * log(12 * scene - 0.28466892) + 0.55991073
