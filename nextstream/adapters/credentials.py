"""Hashes passwords with argon2id; and a twin that is fast, for tests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's Password Storage Cheat Sheet gives m=46 MiB, t=1, p=1 as the strongest of its equals:
# memory is what an attacker's hardware lacks. About 50 ms on a core.
MEMORY_KIB = 46 * 1024
PARALLEL = 4  # hashes at once in a process, 46 MiB each; more logins wait their turn

# The hash of no known password, in the form and so with the work of a real one.
NOBODY = f"$argon2id$v=19$m={MEMORY_KIB},t=1,p=1${'A' * 22}${'A' * 43}"


class ArgonPasswords:
    """Hashes with argon2id (RFC 9106), in bounded memory however many log in at once."""

    def __init__(self) -> None:
        self._argon = PasswordHasher(time_cost=1, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)
        self._turns = BoundedSemaphore(PARALLEL)

    def hash(self, password: str) -> str:
        """Give a salted hash, which names its parameters."""
        with self._turns:
            return self._argon.hash(_bytes(password))

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Check a password; where there is no hash, do the same work in vain."""
        with self._turns:
            try:
                return self._argon.verify(password_hash or NOBODY, _bytes(password))
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made with other parameters than today's."""
        return self._argon.check_needs_rehash(password_hash)

    def is_common(self, password: str) -> bool:
        """Tell whether a password is among the 30,000 commonest of known leaks, in any case."""
        return password.lower() in _common()


class PlainPasswords:
    """Hashes fast, and so too weakly for anything but tests."""

    def hash(self, password: str) -> str:
        """Give a salted hash."""
        salt = f"plain${secrets.token_hex(8)}"
        return f"{salt}${_digest(salt, password)}"

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Check a password."""
        salt, _, digest = (password_hash or "").rpartition("$")
        return hmac.compare_digest(digest, _digest(salt, password))

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash is of another making."""
        return not password_hash.startswith("plain$")

    def is_common(self, password: str) -> bool:
        """Tell whether a password is one of three."""
        return password.lower() in {"password", "12345678", "password123"}


@cache
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 2 MB of words, read where one is chosen

    return frozenset(FREQUENCY_LISTS["passwords"])


def _digest(salt: str, password: str) -> str:
    return hashlib.sha256(salt.encode() + _bytes(password)).hexdigest()


def _bytes(password: str) -> bytes:
    """Give a password's bytes, the same from every keyboard (NIST SP 800-63B, 3.1.1.2: NFKC)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
