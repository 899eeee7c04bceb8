"""Looks into a source step by step: its headers, a short decode, its packets."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count
from typing import Any

from nextstream.adapters import processes
from nextstream.adapters.sandbox import Limits
from nextstream.adapters.surveyor import Surveyor
from nextstream.adapters.toolchain import Toolchain
from nextstream.domain import colors, damage, dump, markings, probe, seeking, trial
from nextstream.domain.packets import Survey
from nextstream.domain.source import AudioTrack, SourceInfo, VideoTrack
from nextstream.domain.treatment import HOLD_S
from nextstream.errors import MediaError, SourceEmpty, SourceNotVideo, SourceUnsupported

WORDS_MAX = 5000  # far more than what ffmpeg says of all tracks, before its work and after it
FLOOD = 200_000  # lines; a source with as many errors before its first frames has none to show
TRIAL = Limits(wall_s=120, cpu_s=240, file_bytes=0)
# What all looks before the packets may take together: a source may have hundreds of tracks.
LOOKS_S = 180


@dataclass(frozen=True)
class Prober:
    """Looks into one source with one toolchain."""

    tools: Toolchain
    source: str
    until: float = field(default_factory=lambda: time.monotonic() + LOOKS_S)

    def look(self, size_bytes: int) -> SourceInfo:
        """Give all that later steps need to know.

        Raises a MediaError that tells its owner why it can't become a video.
        """
        found = self._ask()
        info = replace(probe.parse(found, self.tools.decodable()), size_bytes=size_bytes)
        info = self._settle_color(self._detect_fields(self._try(info)))
        track = info.video or info.audio[0]
        surveyor = Surveyor(self.tools, self.source, found)
        survey = surveyor.survey(info, track)
        measured = _measure(info, survey)
        if damage.may_end_with_sound(info, measured) and not probe.has_length(found, track.index):
            measured = _hear(info, measured, surveyor)
            info = damage.promise_by_sound(info, measured)
        if damage.may_end_with_text(info, measured) and not probe.has_length(found, track.index):
            info = damage.promise_by_text(info, measured, surveyor.last_text_s())
            measured = replace(measured, duration_s=min(measured.duration_s, info.duration_s))
        info = self._check_seek(damage.judge(measured, info), survey)
        length_s = info.shown_to_s - info.shown_from_s
        chapters = markings.chapters(found.get("chapters", []), info.shown_from_s, length_s)
        return replace(info, chapters=chapters)

    def _ask(self) -> Mapping[str, Any]:
        try:
            found = processes.ask(probe.command(self.tools.ffprobe, self.source))
        except SourceNotVideo:
            # ffprobe gives up where the decoder of one track, be it the least, can't be opened.
            if (dumped := self._dump()) is None:
                raise
            return dumped
        if probe.may_move(found) and (dumped := self._dump()) and not probe.may_move(dumped):
            return dumped
        if not markings.has_unnamed(found.get("streams", [])):
            return found
        headers = processes.ask(probe.headers_command(self.tools.ffprobe, self.source))
        return probe.add_headers(found, headers)

    def _dump(self) -> Mapping[str, Any] | None:
        found = dump.parse(self._words(dump.command(self.tools.ffmpeg, self.source)))
        return found if found["streams"] else None

    def _open(self, info: SourceInfo) -> tuple[SourceInfo, list[str]]:
        """Give the tracks whose decoders open, and what ffmpeg says of their first frames.

        Raises SourceUnsupported where none does.
        """
        words = self._words(trial.command(self.tools.ffmpeg, self.source, info, trial.WINDOW_S))
        if (index := trial.unopened(words)) is None:
            return info, words
        left = trial.without(info, index)
        if left == info:  # not of a track that was asked for
            return info, words
        if not left.video and not left.audio:
            raise SourceUnsupported(detail="no decoder could be opened")
        return self._open(left)

    def _try(self, info: SourceInfo) -> SourceInfo:
        """Leave out tracks that don't decode; raises SourceEmpty where none is left."""
        whole = info
        info, words = self._open(whole)
        verdicts = trial.verdicts(info, trial.parse(words))

        def decodes(track: VideoTrack | AudioTrack) -> bool:
            verdict = verdicts[track.index]
            return self._try_alone(info, track) if verdict is None else verdict

        video = info.video if info.video and decodes(info.video) else None
        video = trial.turn(trial.fill(video, words), words) if video else None
        video = video if video and video.width and video.height else None
        video = trial.interlace(video, words) if video else None
        if video and not probe.has_clock(info.format):
            video = trial.settle_rate(video, words)
        audio = tuple(track for track in info.audio if decodes(track))
        if not video and not audio:
            raise trial.explain(words)
        return replace(info, video=video, audio=audio, warnings=damage.left_out(whole, video, audio))

    def _try_alone(self, info: SourceInfo, track: VideoTrack | AudioTrack) -> bool:
        """Look for the first frame of a track in the whole source."""
        alone = (
            replace(info, video=track, audio=())
            if isinstance(track, VideoTrack)
            else replace(info, video=None, audio=(track,))
        )
        found = trial.parse(self._words(trial.command(self.tools.ffmpeg, self.source, alone, None)))
        return track.index in found and found[track.index].is_sound

    def _detect_fields(self, info: SourceInfo) -> SourceInfo:
        """Find pictures that are interlaced without saying so."""
        if info.video is None or not trial.may_be_interlaced(info.video):
            return info
        words = self._words(trial.idet_command(self.tools.ffmpeg, self.source, info))
        if not (fields := trial.parse_idet(words)):
            return info
        return replace(info, video=trial.with_fields(info.video, fields))

    def _settle_color(self, info: SourceInfo) -> SourceInfo:
        if info.video is None:
            return info
        able = self.tools.can_map_tones()
        color, cautions = colors.settle(info.video, has_zscale=able)
        video = replace(info.video, color=color)
        return replace(info, video=video, warnings=(*info.warnings, *cautions))

    def _words(self, command: list[str], limits: Limits | None = None) -> list[str]:
        """Give what ffmpeg says, also where it fails: then less of it.

        A source that is all errors has a line for each: of them the first and the last are kept,
        and after a FLOOD the look is over, as it is when the time for all looks is.
        """
        heard = count(1)
        first: list[str] = []
        last: deque[str] = deque(maxlen=WORDS_MAX)

        def hear(line: str) -> None:
            (first if len(first) < WORDS_MAX else last).append(line)
            if next(heard) > FLOOD:
                raise SourceEmpty(detail="it is all errors")

        limits = limits or replace(TRIAL, wall_s=min(TRIAL.wall_s, self.until - time.monotonic()))
        if limits.wall_s > 0:
            with suppress(MediaError):
                for _ in processes.listen(command, limits, hear):
                    pass
        return [*first, *last]

    def _check_seek(self, info: SourceInfo, survey: Survey) -> SourceInfo:
        """Find whether decoding can begin before any frame, or only at the beginning."""
        video = info.video
        if video is None or video.is_still or video.duration_s < seeking.FROM_S:
            return info
        if seeking.has_index(info.format):
            return replace(info, is_seekable=self._holds(info, video, Fraction(0), seeking.starts))
        run_up_s = seeking.run_up_s(info, survey)
        if run_up_s is None or not self._holds(info, video, run_up_s, seeking.arrives):
            return info
        return replace(info, is_seekable=True, run_up_s=run_up_s)

    def _holds(
        self,
        info: SourceInfo,
        video: VideoTrack,
        run_up_s: Fraction,
        judge: Callable[[list[str], Fraction], bool],
    ) -> bool:
        """Decode a frame after each of a few seeks, and tell whether all come as they should."""
        for at_s in seeking.times(video):
            seek_s = at_s - info.start_s - run_up_s
            command = seeking.command(self.tools.ffmpeg, self.source, video.index, seek_s)
            if seek_s > 0 and not judge(self._words(command, TRIAL), at_s):
                return False
        return True


def _hear(info: SourceInfo, measured: SourceInfo, surveyor: Surveyor) -> SourceInfo:
    """Find where sounds end, in a source that tells at most how long its longest track is."""
    alone = replace(info, video=None)
    audio = tuple(
        replace(track, end_s=surveyor.survey(alone, track).end_s or track.end_s) for track in info.audio
    )
    video = measured.video
    if video and video.is_still:
        video = replace(video, end_s=max(video.end_s, *(t.end_s for t in audio if t.end_s)))
    return replace(measured, video=video, audio=audio)


def _find_end(info: SourceInfo, survey: Survey) -> Fraction:
    """Give when a source ends whose clock goes on, and whose packets have times."""
    assert survey.end_s is not None and survey.last_s is not None  # noqa: S101, PT018  narrows the types
    if info.video is None or not damage.promises(info):
        return survey.end_s
    # A packet may last until the next to be decoded, which isn't the next to be shown: where a picture
    # stands still, such a one would end far behind the end of the file.
    return min(survey.end_s, max(info.video.end_s, survey.last_s + 1 / info.video.rate))


def _measure(info: SourceInfo, survey: Survey) -> SourceInfo:
    """Put the true end of what there is in place of the header's word for it."""
    if not survey.count:
        raise SourceEmpty(detail="the track has no packets")
    jumps = bool(survey.jumps) and not info.is_seekable
    start_s = info.video.start_s if info.video else info.start_s
    end_s = start_s + survey.length_s if jumps or survey.end_s is None else _find_end(info, survey)
    info = replace(info, has_jumps=jumps, longest_gap_s=survey.longest_gap_s)
    if info.video is None:
        return replace(info, duration_s=end_s - info.start_s)
    if survey.count <= probe.most_of_a_still(info.format):
        heard_s = info.start_s + info.duration_s if info.audio else Fraction(0)
        still = replace(info.video, is_still=True, end_s=max(start_s + HOLD_S, heard_s))
        return replace(info, video=still, is_seekable=False)  # one picture, one chunk
    return replace(info, video=replace(info.video, end_s=end_s))
