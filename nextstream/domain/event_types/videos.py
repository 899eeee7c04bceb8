"""Events of videos and their encodes; the key is the video's id."""

from __future__ import annotations

from dataclasses import dataclass

from nextstream.domain.event_types.declaring import Data, declare, tells
from nextstream.domain.source import Purpose
from nextstream.domain.video import Priority, Visibility


@declare("video.created")
@dataclass(frozen=True, kw_only=True)
class Created(Data):
    """A video has its id; its bytes are still to come."""

    owner_id: str = tells("The account that uploads it.")
    filename: str = tells("The name the file came with, of at most 255 characters.")


@declare("video.uploaded")
@dataclass(frozen=True, kw_only=True)
class Uploaded(Data):
    """The source is stored whole, and its encode waits for a worker."""

    size_bytes: int = tells("The size of the source.")


@dataclass(frozen=True, kw_only=True)
class Rung(Data):
    """A picture that is going to be made."""

    name: str = tells("The rendition's name, as in addresses.")
    width: int = tells("In pixels.")
    height: int = tells("In pixels.")


@dataclass(frozen=True, kw_only=True)
class _OfEncode(Data):
    version: int = tells("Which encode of the video this is about; each re-encode has the next number.")


@declare("video.probed")
@dataclass(frozen=True, kw_only=True)
class Probed(_OfEncode):
    """The source was looked into, and it is settled what is made of it."""

    duration_s: float = tells("The length of the video.")
    frames: int = tells("The frames of each picture.")
    rungs: list[Rung] = tells("The pictures; none where the source is sound alone.")


@declare("piece.encoded")
@dataclass(frozen=True, kw_only=True)
class PieceEncoded(_OfEncode):
    """A piece of the work is done: a chunk, a sound track, or all subtitles."""

    piece: str = tells("The piece's name.")
    frames: int = tells("The frames that it has; 0 for sound and text.")


@declare("video.playable")
@dataclass(frozen=True, kw_only=True)
class Playable(_OfEncode):
    """Every rendition has its first segment: players can begin, while the rest is encoding."""


@declare("video.rendition.ready")
@dataclass(frozen=True, kw_only=True)
class RenditionReady(_OfEncode):
    """All segments of a rendition are stored."""

    rendition: str = tells("The rendition's name, as in addresses.")
    kind: str = tells("`video`, `audio` or `text`.")
    codec: str = tells("Its codec by RFC 6381.")


@declare("video.ready")
@dataclass(frozen=True, kw_only=True)
class Ready(_OfEncode):
    """The encode is done, and this version is the one that plays."""

    renditions: dict[str, int] = tells("The size of each rendition in bytes, by its name.")


@declare("video.failed")
@dataclass(frozen=True, kw_only=True)
class Failed(Data):
    """The upload or the encode failed."""

    code: str = tells("The error's code, from a closed list.")
    message: str = tells("What happened and what to do, for the video's owner.")
    version: int | None = tells("The encode that failed; absent where the upload did.", None)


@declare("video.cancelled")
@dataclass(frozen=True, kw_only=True)
class Cancelled(Data):
    """The upload or the encode was ended by a user; the source stays where it was whole."""

    by: str | None = tells("The account that did it; absent where the client ended its upload.", None)
    version: int | None = tells("The encode; absent where an upload was ended.", None)


@dataclass(frozen=True, kw_only=True)
class _By(Data):
    by: str = tells("The account that did it.")


@declare("video.deleted")
@dataclass(frozen=True, kw_only=True)
class Deleted(_By):
    """The video is gone, and its files go."""


@declare("video.tickets_revoked")
@dataclass(frozen=True, kw_only=True)
class TicketsRevoked(_By):
    """All links to play that were given for the video are worthless."""


@declare("video.changed")
@dataclass(frozen=True, kw_only=True)
class Changed(_By):
    """What is known about the video was changed; only what was named is told."""

    title: str | None = tells("The new title.", None)
    visibility: Visibility | None = tells("Who may play it from now on.", None)
    priority: Priority | None = tells("Which work comes first.", None)


@declare("video.retried")
@dataclass(frozen=True, kw_only=True)
class Retried(_OfEncode):
    """What failed or was cancelled is done again."""

    by: str = tells("The account that asked for it.")


@declare("video.reencoded")
@dataclass(frozen=True, kw_only=True)
class Reencoded(_OfEncode):
    """The video is encoded anew; the version before plays until this one is ready."""

    by: str = tells("The account that asked for it.")


@declare("video.subtitles")
@dataclass(frozen=True, kw_only=True)
class Subtitles(_OfEncode):
    """Subtitles were added, or removed."""

    there: bool = tells("Whether there are some now.")
    language: str = tells("Their language, by BCP 47.")
    purpose: Purpose = tells("Whom they are for.")
    by: str = tells("The account that did it.")
