"""What reads and encodes sources."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

from nextstream.domain.plan import Piece, Plan, Voice
from nextstream.domain.source import SourceInfo

Report = Callable[[int], None]


@dataclass(frozen=True)
class EncodedPiece:
    """What ffmpeg made of a piece: for each rung a fragmented MP4, for a text WebVTT.

    `lost_frames` are those that the source should have and hasn't, or whose picture is broken, which
    `broken_frames` are.
    A chunk whose plan has a sheet of the storyboard gives that last, as a JPEG named `storyboard`.
    """

    name: str
    data: bytes
    lost_frames: int = 0
    broken_frames: int = 0


class Encoder(Protocol):
    """Reads and encodes sources; `source` is what Storage.locate gave."""

    def probe(self, source: str, size_bytes: int) -> SourceInfo:
        """Look into a source; raises a MediaError that tells why it can't become a video."""
        ...

    def encode(self, source: str, plan: Plan, piece: Piece, report: Report) -> Iterator[EncodedPiece]:
        """Make all rungs of a chunk in one decode; reports frames done, and stops if that raises.

        Raises EncoderFailed with ffmpeg's last lines as detail. May run twice.
        """
        ...

    def encode_audio(self, source: str, plan: Plan, voice: Voice) -> Generator[bytes, None, None]:
        """Make a whole audio track: the bytes of a fragmented MP4 while they are made.

        Gives empty blocks now and then while there are none. Whoever closes the iterator stops
        the encode. Raises as encode does, and may run twice.
        """
        ...

    def picture(self, film: bytes, frame: int, width: int, height: int, form: str) -> bytes:
        """Decode one frame of `film`, an init segment and whole fragments of ours, as `jpg` or `webp`.

        `frame` counts from 0 in the order they are shown. Raises EncoderFailed, and EncoderBusy
        where too many ask at once.
        """
        ...

    def extract_texts(self, source: str, plan: Plan, report: Report) -> Iterator[EncodedPiece]:
        """Give all subtitles of a source as WebVTT, on the source's own clock; as encode.

        What they say is a stranger's: captions.read takes it in.
        """
        ...
