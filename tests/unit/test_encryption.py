"""AES-128 of whole segments, as a player would undo it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from nextstream.domain import encryption
from nextstream.domain.video import Rendition, Segment
from nextstream.errors import KeyUnreadable

KEY = bytes(range(16))
SECRET = "s" * 32
BODY = bytes(n * 7 % 251 for n in range(1000))


def undo(stored: bytes, sequence_number: int) -> bytes:
    """Decrypt as RFC 8216, 5.2 tells a player to."""
    iv = sequence_number.to_bytes(16, "big")
    decryptor = Cipher(algorithms.AES128(KEY), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(stored) + decryptor.finalize()) + unpadder.finalize()


def read(stored: bytes, number: int, offset: int, size: int, block: int = 100) -> bytes:
    span = encryption.window(offset, size)
    run = stored[span.offset : span.offset + span.size_bytes]
    blocks = (run[at : at + block] for at in range(0, len(run), block))
    return b"".join(encryption.decrypt(blocks, KEY, number, offset, size))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_the_first_segment_has_the_sequence_number_0_for_its_iv(size: int) -> None:
    stored = encryption.encrypt(BODY[:size], KEY, 1)
    assert undo(stored, 0) == BODY[:size]
    made = Rendition("v", "avc1", 1, "", (Segment(1, 1, size),))
    assert encryption.as_stored(made).segments[0].size_bytes == len(stored)


def test_a_segment_encrypted_twice_gives_the_same_bytes_and_another_one_others() -> None:
    stored = encryption.encrypt(BODY, KEY, 7)
    assert stored == encryption.encrypt(BODY, KEY, 7)
    assert stored != encryption.encrypt(BODY, KEY, 8)
    assert stored != encryption.encrypt(BODY, encryption.make_key(), 7)


@pytest.mark.parametrize("offset", [0, 1, 15, 16, 17, 31, 32, 500, 983, 999])
@pytest.mark.parametrize("size", [1, 16, 17, 300, 1000])
def test_any_run_of_a_segment_can_be_read_alone(offset: int, size: int) -> None:
    size = min(size, len(BODY) - offset)
    stored = encryption.encrypt(BODY, KEY, 3)
    for block in (1, 16, 100, 5000):
        assert read(stored, 3, offset, size, block) == BODY[offset : offset + size]


def test_a_sealed_key_opens_with_the_secret_that_sealed_it_alone() -> None:
    sealed = encryption.seal(KEY, SECRET)
    assert KEY.hex() not in sealed
    assert sealed != encryption.seal(KEY, SECRET)
    assert encryption.unseal(sealed, SECRET) == KEY
    with pytest.raises(KeyUnreadable):
        encryption.unseal(sealed, "t" * 32)
