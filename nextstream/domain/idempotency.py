"""Requests that create something, told apart by a key of the client's, so that a repeat creates nothing.

draft-ietf-httpapi-idempotency-key-header-07 has the header and what the server answers.
"""

from __future__ import annotations

import base64
import hashlib
import re

from cryptography.fernet import Fernet, InvalidToken

from nextstream.errors import BadRequest, IdempotencyMismatch

HEADER = "Idempotency-Key"
KEY_MAX = 255  # characters
PATTERN = r'^("[ !#-~]{1,255}"|[!#-~]([ -~]{0,253}[!#-~])?)$'  # in quotes, or without


def parse(header: str) -> str:
    """Give the key that a header holds; raises BadRequest for what isn't of the pattern."""
    text = header.strip()
    if not re.fullmatch(PATTERN, text):
        raise BadRequest(f"{HEADER} must have 1 to {KEY_MAX} printable characters; a UUID is best.")
    return text.strip('"')


def digest(*facts: object) -> str:
    """Tell what stands for these facts and no others: of a key, or of a request."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def seal(answer: bytes, *secrets: str) -> str:
    """Give an answer that only who knows all the secrets can read: it may hold a new API key."""
    return _box(secrets).encrypt(answer).decode()


def unseal(sealed: str, *secrets: str) -> bytes:
    """Give the answer that was sealed by these secrets; raises IdempotencyMismatch for others."""
    try:
        return _box(secrets).decrypt(sealed.encode())
    except InvalidToken as error:  # the server's key is another one by now
        raise IdempotencyMismatch from error


def _box(secrets: tuple[str, ...]) -> Fernet:
    key = hashlib.sha256(repr(("idempotency", *secrets)).encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
