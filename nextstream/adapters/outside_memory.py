"""The internet's in-memory twin: it keeps what was sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nextstream.errors import AddressRefused, OutsideUnavailable


@dataclass(frozen=True)
class Sent:
    """A body as it was sent."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass
class MemoryOutside:
    """Answers with `status`, or not at all while `away`; `localhost` is private."""

    status: int = 204
    away: bool = False
    sent: list[Sent] = field(default_factory=list)

    def check(self, url: str) -> None:
        """Raise AddressRefused for what is no http or https URL."""
        if not url.startswith(("http://", "https://")):
            raise AddressRefused

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Keep a body and give the status."""
        self.check(url)
        if url.split("/")[2].startswith("localhost"):
            raise AddressRefused
        if self.away:
            raise OutsideUnavailable
        self.sent.append(Sent(url, body, dict(headers)))
        return self.status
