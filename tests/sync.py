"""A meter of sound against picture: flashes and beeps that belong together, and when they are shown."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from nextstream.domain import fmp4, paths
from nextstream.domain.video import Rendition, Video
from nextstream.ports import Platform
from tests import sources

LASTS_S = 0.12  # of a flash and of a beep: three frames at 25 per second
STEP_S = 0.001  # how finely a beep's start is found


@dataclass(frozen=True)
class Kind:
    """How sound and picture lie in a file: what each has cut off in front, and the file's clock."""

    ending: str
    rate: Fraction = Fraction(25)
    sound_from_s: float = 0.0
    picture_from_s: float = 0.0
    clock_s: float = 0.0
    sample_rate_hz: int = 48000


KINDS = {
    "plain": Kind("mp4"),
    "plain, 29.97 fps, 44.1 kHz": Kind("mp4", rate=Fraction(30000, 1001), sample_rate_hz=44100),
    "start offset, MKV": Kind("mkv", clock_s=7.3),
    "start offset, MPEG-TS": Kind("ts", clock_s=3601.4),
    "sound delayed by 0.7 s": Kind("mp4", sound_from_s=0.7),
    "sound delayed, start offset": Kind("mkv", sound_from_s=0.7, clock_s=7.3),
    "picture delayed by 0.48 s": Kind("mp4", picture_from_s=0.48),
}


def make(path: Path, kind: Kind, seconds: float) -> Path:
    """Make a film that flashes white and beeps at 1 kHz about every second, at the very same times."""
    period_s = float(round(kind.rate) / kind.rate)
    white = f"drawbox=color=white:t=fill:enable='lt(mod(n,{round(kind.rate)}),3)'"
    beep = f"0.5*sin(2*PI*1000*t)*lt(mod(t,{period_s}),{LASTS_S})"
    sources.run(
        *("-f", "lavfi", "-i", f"color=size=320x180:rate={kind.rate}:duration={seconds},{white}"),
        *("-f", "lavfi", "-i", f"aevalsrc='{beep}':s={kind.sample_rate_hz}:d={seconds}"),
        # Cut, and not moved: what is left keeps its time.
        *("-vf", f"trim=start={kind.picture_from_s}", "-af", f"atrim=start={kind.sound_from_s}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-bf", "2", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-output_ts_offset", kind.clock_s, path),
    )
    return path


@dataclass(frozen=True)
class Shown:
    """When flashes and beeps begin, in seconds."""

    flashes: tuple[float, ...]
    beeps: tuple[float, ...]

    def offset_ms(self, at_s: float) -> float:
        """Give how much later than its flash a beep comes, `at_s` after the first that has one.

        Right up to half a second, since another flash is nearer then.
        """
        both_s = max(self.flashes[0], self.beeps[0])
        beep = next(each for each in self.beeps if each >= both_s + at_s - 0.5)
        return 1000 * (beep - min(self.flashes, key=lambda each: abs(each - beep)))


def of_source(path: Path, scratch: Path) -> Shown:
    """Measure a source by ffmpeg's own times, which honour all that a file says of them."""
    flashes = _flashes(path, scratch, ["-copyts"])
    beeps = _beeps(path, scratch, ["-copyts"])
    return Shown(tuple(flashes), tuple(beeps))


def of_output(platform: Platform, video: Video, scratch: Path) -> Shown:
    """Measure an encode as browsers show it: each track's own times, less its edit list's one offset.

    Chromium ignores an edit that is empty, so one would be seen here as it is there.
    """
    rung = min((r for r in video.renditions if r.is_video), key=lambda r: r.width)
    sound = next(r for r in video.renditions if not r.is_video)
    raw = ["-copyts", "-ignore_editlist", "1"]
    times = []
    for rendition, find in ((rung, _flashes), (sound, _beeps)):
        path, offset_s = _whole(platform, video, rendition, scratch)
        times.append(tuple(time - offset_s for time in find(path, scratch, raw)))
    return Shown(*times)


def _whole(platform: Platform, video: Video, rendition: Rendition, scratch: Path) -> tuple[Path, float]:
    """Put a rendition's segments together, and read the offset that its edit list asks for."""
    init = platform.storage.read(paths.init(video.id, 1, rendition.name))
    path = scratch / f"{rendition.name}.mp4"
    with path.open("wb") as file:
        file.write(init)
        for segment in rendition.segments:
            file.write(platform.storage.read(paths.segment(video.id, 1, rendition.name, segment.number)))
    elst = fmp4.parts(init)[b"elst"]
    assert struct.unpack_from(">I", elst, 12) == (1,), "browsers know no more than one edit"
    return path, fmp4.start_ticks(init) / rendition.timescale


def _flashes(path: Path, scratch: Path, reading: list[str]) -> list[float]:
    """Give the times of frames that are white after black ones."""
    key = "lavfi.signalstats.YAVG"
    listed = scratch / "levels"
    sources.run(
        *(*reading, "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough"),
        *("-vf", f"signalstats,metadata=print:key={key}:file={listed}", "-f", "null", "-"),
    )
    return _rises(listed, key, low=60.0, high=120.0)


def _beeps(path: Path, scratch: Path, reading: list[str]) -> list[float]:
    """Give the times when it gets half as loud as a beep, to a millisecond."""
    key = "lavfi.astats.Overall.RMS_level"
    listed = scratch / "levels"
    blocks = f"aresample=48000,asetnsamples={round(48000 * STEP_S)}"
    sources.run(
        *(*reading, "-i", path, "-map", "0:a:0", "-af"),
        f"{blocks},astats=metadata=1:reset=1,ametadata=print:key={key}:file={listed}",
        *("-f", "null", "-"),
    )
    # A beep's root mean square is -9 dB.
    return _rises(listed, key, low=-30.0, high=-15.0)


def _rises(listed: Path, key: str, low: float, high: float) -> list[float]:
    """Give the times when a level passes `high`, each after it was under `low`."""
    rows = re.findall(
        rf"pts_time:\s*(-?[\d.]+)\n{re.escape(key)}=(-?[\d.]+|-inf|nan)", listed.read_text()
    )
    found, is_low = [], True
    for time, level in rows:
        if is_low and float(level) > high:
            found.append(float(time))
            is_low = False
        elif float(level) < low:
            is_low = True
    return found
