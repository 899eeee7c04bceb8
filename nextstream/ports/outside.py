"""The internet beyond our own machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Outside(Protocol):
    """Reaches addresses that users name, and never our own network by them."""

    def check(self, url: str) -> None:
        """Raise AddressRefused for a URL that could never be reached."""
        ...

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body and give the answer's status, within seconds; redirects are not followed.

        Raises AddressRefused for a private address, and OutsideUnavailable without an answer.
        """
        ...
