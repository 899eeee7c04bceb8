"""The keys that sign and verify access tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nextstream.domain.signing import SigningKey


class SigningKeys(Protocol):
    """The auth service's keys, or the public part of them elsewhere."""

    def signer(self) -> SigningKey:
        """Give the key that signs now, made where there is none; raises Misconfigured elsewhere."""
        ...

    def published(self) -> Sequence[SigningKey]:
        """Give the keys that tokens may be signed with; raises ServiceUnavailable."""
        ...

    def find(self, kid: str) -> SigningKey | None:
        """Give a published key; one that isn't there is looked for again, but not each time.

        Raises ServiceUnavailable where no keys could be fetched yet.
        """
        ...

    def rotate(self, signs_in_s: float) -> SigningKey:
        """Make a key that begins to sign in so many seconds, and forget those whose time is over.

        Raises Misconfigured where no private keys are kept.
        """
        ...

    def replace(self) -> SigningKey:
        """Make a key that signs at once and forget all others, as after a theft."""
        ...
