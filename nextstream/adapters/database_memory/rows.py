"""The rows of all tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from nextstream.domain.accounts import Account
from nextstream.domain.video import Video
from nextstream.ports import OutboxEntry, Task

Key = tuple[str, int, str]  # a piece's video, version and name


@dataclass
class Rows:
    """All that the database holds."""

    videos: dict[str, Video] = field(default_factory=dict)
    pieces: dict[Key, Task] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    outbox: list[OutboxEntry] = field(default_factory=list)

    def copy(self) -> Rows:
        """Copy the tables; the rows are frozen."""
        return Rows(dict(self.videos), dict(self.pieces), dict(self.accounts), list(self.outbox))
