"""AES-128 of whole segments, as HLS has it (RFC 8216, 4.3.2.4 and 5.2): keys, bytes in, bytes out.

A segment's IV is its media sequence number, so a segment that is encoded twice gives the same bytes,
and playlists need no more than one line. Renditions share IVs then; what that shows is that segments
of one number begin with the same box headers, which everybody knows.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import replace

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nextstream.domain.video import Rendition, Segment, Span
from nextstream.errors import KeyUnreadable

BLOCK_BYTES = 16
KEY_BYTES = 16


def make_key() -> bytes:
    """Make a key for one version of a video."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, secret_key: str) -> str:
    """Give a key in the form it is kept in, of no use without the server's secret key."""
    return _box(secret_key).encrypt(key).decode()


def unseal(sealed: str, secret_key: str) -> bytes:
    """Give the key back; raises KeyUnreadable where another secret key sealed it."""
    try:
        return _box(secret_key).decrypt(sealed)
    except InvalidToken as error:
        raise KeyUnreadable from error


def encrypt(body: bytes, key: bytes, number: int) -> bytes:
    """Encrypt a segment; the same body, key and number give the same bytes."""
    padder, encryptor = padding.PKCS7(8 * BLOCK_BYTES).padder(), _cipher(key, number).encryptor()
    return encryptor.update(padder.update(body) + padder.finalize()) + encryptor.finalize()


def window(offset: int, size_bytes: int) -> Span:
    """Give the run of an encrypted segment that `decrypt` needs for a run of the plain one.

    It begins a block early, since CBC needs the block before each.
    """
    start = max(0, offset // BLOCK_BYTES - 1) * BLOCK_BYTES
    end = -(-(offset + size_bytes) // BLOCK_BYTES) * BLOCK_BYTES
    return Span(start, end - start)


def decrypt(
    blocks: Iterable[bytes], key: bytes, number: int, offset: int, size_bytes: int
) -> Iterator[bytes]:
    """Give a run of a plain segment from the blocks of its `window`; it must end within the segment."""
    decryptor = _cipher(key, number).decryptor()
    # The block before the first wanted one comes out wrong but at the start, and isn't wanted.
    skip, left = offset - window(offset, size_bytes).offset, size_bytes
    for block in blocks:
        plain = decryptor.update(block)
        wanted = plain[skip : skip + left]
        skip, left = max(0, skip - len(plain)), left - len(wanted)
        if wanted:
            yield wanted


def as_stored(rendition: Rendition) -> Rendition:
    """Give a rendition with the sizes that its segments have when they are encrypted."""
    return replace(rendition, segments=tuple(map(_padded, rendition.segments)))


def _padded(segment: Segment) -> Segment:
    """PKCS7 always adds, a whole block where nothing lacks (RFC 5652, 6.3)."""
    return replace(segment, size_bytes=(segment.size_bytes // BLOCK_BYTES + 1) * BLOCK_BYTES)


def _cipher(key: bytes, number: int) -> Cipher[modes.CBC]:
    """Segments are numbered from 1, media sequence numbers from 0 (RFC 8216, 4.3.3.2)."""
    return Cipher(algorithms.AES128(key), modes.CBC((number - 1).to_bytes(BLOCK_BYTES, "big")))


def _box(secret_key: str) -> Fernet:
    """Seal with a key of this purpose alone, so that tickets and it don't share one."""
    stretch = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"nextstream.media-keys")
    return Fernet(urlsafe_b64encode(stretch.derive(secret_key.encode())))
