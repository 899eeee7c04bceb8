"""What is clearly no video by its first bytes; what might be one is left to the probe."""

from __future__ import annotations

ENOUGH_BYTES = 512

# No container of pictures or sound begins with these.
_MAGIC = {
    b"%PDF-": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or an office document",
    b"PK\x05\x06": "a ZIP archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x1f\x8b\x08": "a gzip archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\x7fELF": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"SQLite format 3\x00": "a database",
    b"{\\rtf": "a text document",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an office document",
}
_TEXT = {
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<head": "a web page",
    b"<script": "a web page",
    b"<?php": "a script",
    b"#!/": "a script",
    b"#extm3u": "a playlist, which only names other files",
    b"ffconcat version": "a playlist, which only names other files",
    b"<mpd": "a playlist, which only names other files",
    b"<svg": "a drawing",
}


def name(head: bytes) -> str | None:
    """Give what a file is that begins like this, if it is surely no video, or None."""
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            return what
    if head.startswith(b"MZ") and b"PE\x00\x00" in head:
        return "a program"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    if text.startswith(b"<?xml"):
        text = text.partition(b"?>")[2].lstrip(b" \t\r\n")
    return next((what for start, what in _TEXT.items() if text.startswith(start)), None)
