"""What is missing of a source: promised by its headers, but not there or not to be decoded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from nextstream.domain import reading
from nextstream.domain.source import AudioTrack, Caution, SourceInfo, VideoTrack
from nextstream.errors import SourceTruncated

DAMAGED = "source_damaged"
LEAST_LOST_S = Fraction(1, 2)  # headers round, and leave a frame out
LEAST_LOST = Fraction(1, 100)
WORTH = Fraction(1, 2)  # with less than this left, a video is not what its owner meant

# Whose headers promise a duration; elsewhere it is guessed from the first packets and the size.
_PROMISING = frozenset(
    {"mov", "mp4", "matroska", "webm", "avi", "flv", "asf", "mxf", "rm", "wav", "flac"}
)
SPARSE_BPS = 4000  # no picture or sound worth the name is smaller; it may be a few frames years apart

_FRAMES_OUT = re.compile(r"fps.* frames in, (\d+) frames out; .* (\d+) frames duplicated")
_DECODE_ERRORS = re.compile(r"Input stream #0:\d+ .* (\d+) decode errors")


class Words:
    """Counts in ffmpeg's words what a chunk lost; `hear` takes them line by line.

    Chunks that are decoded from the beginning all hear of the same broken frames: the last of them
    alone `counts_broken`.
    """

    def __init__(self, *, counts_broken: bool = True) -> None:
        self._counts_broken = counts_broken
        self.frames_out: int | None = None
        self._repeated = 0
        self._undecoded = 0
        self._broken = 0

    def hear(self, line: str) -> None:
        """Take a line in."""
        if "corrupt decoded frame" in line:
            self._broken += self._counts_broken
        elif match := _FRAMES_OUT.search(line):
            self.frames_out = max(self.frames_out or 0, int(match[1]))
            self._repeated += int(match[2])
        elif match := _DECODE_ERRORS.search(line):
            self._undecoded += int(match[1])

    def lost(self, expected: int) -> int:
        """Give how many of the frames a chunk should find in its source are missing or broken."""
        return min(expected, self._missing(expected) + self._broken)

    def broken(self, expected: int) -> int:
        """Give how many of the lost ones are there to be seen, though broken."""
        return max(0, self.lost(expected) - self._missing(expected))

    def _missing(self, expected: int) -> int:
        if self.frames_out is None:
            return min(expected, self._undecoded)
        # What doesn't decode leaves a hole, in which frames are repeated; or it lies behind the last
        # frame, where all that is missing is counted already.
        return max(0, expected - self.frames_out) + min(self._undecoded, self._repeated)


def promises(info: SourceInfo) -> bool:
    """Tell whether a source's headers know how long it is."""
    return reading.is_of(info.format, _PROMISING)


def ends_early(info: SourceInfo, end_s: Fraction) -> bool:
    """Tell whether a source ends before its headers say."""
    start_s, promised_s = _promised(info)
    lost_s = start_s + promised_s - end_s
    return promises(info) and lost_s > max(LEAST_LOST_S, promised_s * LEAST_LOST)


def may_end_with_sound(promised: SourceInfo, info: SourceInfo) -> bool:
    """Tell whether a source's sound may go on after its picture, for all that is known of it so far."""
    if info.video is None or not info.audio or info.has_jumps:
        return False
    if not promised.duration_s:
        return True
    return not info.video.is_still and ends_early(promised, info.video.end_s)


def promise_by_sound(promised: SourceInfo, info: SourceInfo) -> SourceInfo:
    """Give what was promised, of a picture no more than there is where a sound keeps the promise."""
    latest_s = max(track.end_s or Fraction(0) for track in info.audio)
    if not info.video or not promised.video or ends_early(replace(promised, video=None), latest_s):
        return promised
    return replace(promised, video=replace(promised.video, end_s=info.video.end_s))


def may_end_with_text(promised: SourceInfo, info: SourceInfo) -> bool:
    """Tell whether what seems to be missing of a source may be no more than subtitles that stay on."""
    is_still = info.video is not None and info.video.is_still
    return not (is_still or info.has_jumps) and ends_early(promised, _end_s(info))


def promise_by_text(promised: SourceInfo, info: SourceInfo, latest_s: Fraction) -> SourceInfo:
    """Give what was promised, no more than there is where subtitles, which end then, keep it."""
    if ends_early(replace(promised, video=None), latest_s):
        return promised
    return replace(promised, video=info.video, duration_s=info.shown_to_s - info.start_s)


def is_sparse(info: SourceInfo) -> bool:
    """Tell whether a source has too few bytes for its time, so that gaps have to be looked for."""
    return info.size_bytes * 8 < info.duration_s * SPARSE_BPS


def judge(info: SourceInfo, promised: SourceInfo) -> SourceInfo:
    """Compare what there is with what was promised; raises SourceTruncated with less than half there."""
    if info.video and info.video.is_still:
        return info
    start_s, promised_s = _promised(promised)
    end_s = _end_s(info)
    if not ends_early(promised, end_s):
        return info
    return note(info, start_s + promised_s - end_s, promised_s)


def note(
    info: SourceInfo, lost_s: Fraction, promised_s: Fraction, broken_s: Fraction = Fraction(0)
) -> SourceInfo:
    """Add lost time to a source's warnings; raises SourceTruncated with less than half left.

    `broken_s` of the lost time is shown all the same: it's worth a warning, but not a refusal.
    """
    lost_s += sum((each.lost_s or Fraction(0) for each in info.warnings), Fraction(0))
    if lost_s - broken_s > promised_s * WORTH:
        raise SourceTruncated(detail=f"{float(lost_s):.1f} of {float(promised_s):.1f} s are lost")
    message = f"The file is damaged: {float(lost_s):.1f} s of {float(promised_s):.1f} s are lost."
    others = tuple(each for each in info.warnings if each.code != DAMAGED)
    return replace(info, warnings=(*others, Caution(DAMAGED, message, lost_s)))


def left_out(
    info: SourceInfo, video: VideoTrack | None, audio: Sequence[AudioTrack]
) -> tuple[Caution, ...]:
    """Give the warnings for tracks that don't decode."""
    cautions = []
    if info.video and not video:
        cautions.append(Caution("picture_left_out", "The picture can't be decoded; only the sound is."))
    if len(audio) < len(info.audio):
        cautions.append(Caution("sound_left_out", "A sound track can't be decoded and was left out."))
    return (*info.warnings, *cautions)


def _end_s(info: SourceInfo) -> Fraction:
    return info.video.end_s if info.video else info.start_s + info.duration_s


def _promised(info: SourceInfo) -> tuple[Fraction, Fraction]:
    """Give where the picture, or else the source, starts, and how long it should last."""
    if info.video:
        return info.video.start_s, info.video.duration_s
    return info.start_s, info.duration_s
