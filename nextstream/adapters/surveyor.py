"""Lists a source's packets, and sums them up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from nextstream.adapters import processes
from nextstream.adapters.sandbox import Limits
from nextstream.adapters.toolchain import Toolchain
from nextstream.domain import damage, dump, packets, probe
from nextstream.domain.packets import Packet, Survey
from nextstream.domain.source import AudioTrack, SourceInfo, VideoTrack
from nextstream.errors import MediaError

LISTING = Limits(wall_s=1800, cpu_s=900, file_bytes=0)  # all packets of a long source, by network
SOUND_FRAME_S = Fraction(1024, 48000)


@dataclass(frozen=True)
class Surveyor:
    """Sums up the packets of one source, whose headers are what ffprobe or ffmpeg says of it."""

    tools: Toolchain
    source: str
    headers: Mapping[str, Any]

    def survey(self, info: SourceInfo, track: VideoTrack | AudioTrack) -> Survey:
        """Read a track's last packets, or all where the last don't tell enough."""
        skips = packets.may_skip(info.format)
        if info.is_seekable and not damage.is_sparse(info):
            tail_s = float(info.start_s + info.duration_s) - packets.TAIL_S
            with suppress(MediaError):  # ffprobe gives up where it can't seek
                found = self._list(info.format, track, tail_s, skips=skips)
                whole = found.end_s is not None and not damage.ends_early(info, found.end_s)
                if whole and found.count > 1:
                    return found
        found = self._list(info.format, track, skips=skips)
        jumps = isinstance(track, VideoTrack) and found.jumps and skips
        return self._without_jumps(info, track, found) if jumps else found

    def last_text_s(self) -> Fraction:
        """Give when the last subtitles of any kind end on the source's clock; 0 where there are none."""
        if (index := probe.first_text(self.headers)) is None:
            return Fraction(0)
        base = probe.parse_time_base(self.headers, index)
        listed = self._packets(probe.ALL_TEXTS, base)
        return packets.survey(listed, base, Fraction(0)).end_s or Fraction(0)

    def _without_jumps(self, info: SourceInfo, track: VideoTrack | AudioTrack, found: Survey) -> Survey:
        """Take jumps of the picture's clock for gaps where a sound goes on all the while."""
        if any(packets.goes_on(self.survey(info, sound), found) for sound in info.audio):
            return self._list(info.format, track, skips=False)
        return found

    def _list(
        self,
        form: str,
        track: VideoTrack | AudioTrack,
        from_s: float | None = None,
        *,
        skips: bool,
    ) -> Survey:
        frame_s = track.frame_s if isinstance(track, VideoTrack) else SOUND_FRAME_S
        base = probe.parse_time_base(self.headers, track.index)
        listed = self._packets(track.index, base, from_s)
        if not probe.has_clock(form):
            listed = packets.without_clock(listed, base, frame_s)
        delay = probe.parse_delay(self.headers, track.index)
        return packets.survey(listed, base, frame_s, delay, skips=skips)

    def _packets(
        self, index: int | str, base: Fraction, from_s: float | None = None
    ) -> Iterator[Packet]:
        """List packets from a time on, or all of them: also where ffprobe doesn't read the source."""
        if dump.is_one(self.headers):
            command = dump.packets_command(self.tools.ffmpeg, self.source, index)
            return packets.read_copied(processes.listen(command, LISTING), base)
        command = probe.packets_command(self.tools.ffprobe, self.source, index, from_s)
        return packets.read(processes.listen(command, LISTING))
