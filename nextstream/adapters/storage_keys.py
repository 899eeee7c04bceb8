"""The rule for storage keys, the same on every adapter."""

from __future__ import annotations

import re

from nextstream.errors import ObjectNotFound

LONGEST_BYTES = 1000  # S3 takes 1024, with the prefix that an installation may set before
LONGEST_PART_BYTES = 255  # that of a file's name

# Parts that begin with a dot are no names: `.` and `..` lead elsewhere in a file system, and
# storages keep unfinished writes under hidden names.
_KEY = re.compile(r"[^./\0\\][^/\0\\]*(?:/[^./\0\\][^/\0\\]*)*")


def check(key: str) -> str:
    """Give the key back; raises ObjectNotFound where it leads outside or some storage can't have it."""
    if not is_valid(key):
        raise ObjectNotFound(detail=f"{key!r} is no storage key")
    return key


def is_valid(key: str) -> bool:
    """Tell whether every storage can have an object of this key."""
    if not _KEY.fullmatch(key):
        return False
    try:
        data = key.encode()
    except UnicodeEncodeError:  # a lone surrogate, from a name that was no UTF-8
        return False
    return len(data) <= LONGEST_BYTES and max(map(len, data.split(b"/"))) <= LONGEST_PART_BYTES
