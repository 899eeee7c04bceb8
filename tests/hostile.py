"""Files that want what isn't theirs: other files, the network, or all of the machine."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from tests import sources

Make = Callable[[Path, int], bytes]

_VTT = '<?xml version="1.0"?>\n'


def playlist(uri: str) -> bytes:
    lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:9", "#EXTINF:3,", uri, "#EXT-X-ENDLIST", "")
    return "\n".join(lines).encode()


def keyed(uri: str, segment: str) -> bytes:
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{uri}"'
    return "\n".join(("#EXTM3U", "#EXT-X-TARGETDURATION:9", key, "#EXTINF:3,", segment, "")).encode()


def script(uri: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{uri}'\n".encode()


def manifest(uri: str, entity: str = "") -> bytes:
    head = f'<!DOCTYPE MPD [<!ENTITY leak SYSTEM "{entity}">]>\n' if entity else ""
    return (
        f'{_VTT}{head}<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT3S"><Period><AdaptationSet contentType="video">'
        '<Representation id="1" bandwidth="1000" codecs="avc1.64001f" mimeType="video/mp4">'
        f"<BaseURL>{uri}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    ).encode()


def drawing(uri: str) -> bytes:
    return (
        f'{_VTT}<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" '
        f'width="64" height="64"><image x:href="{uri}" width="64" height="64"/></svg>'
    ).encode()


def session(port: int) -> bytes:
    lines = ("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=x", "c=IN IP4 127.0.0.1", "t=0 0")
    return "\n".join((*lines, f"m=video {port} RTP/AVP 96", "a=rtpmap:96 H264/90000", "")).encode()


def referring(film: bytes, uri: str, kind: bytes) -> bytes:
    """Give an MP4 whose samples are said to lie in another file (ISO/IEC 14496-12, 8.7.2)."""
    if kind == b"url ":
        entry = struct.pack(">4sI", b"url ", 0) + uri.encode() + b"\0"
    else:  # a Macintosh alias to an absolute path, as QuickTime has them
        path = uri.removeprefix("file://").encode()
        record = bytes(10) + bytes(28) + bytes(12) + bytes(64) + bytes(16) + bytes(4) + bytes(16)
        record += struct.pack(">HH", 2, len(path)) + path + bytes(len(path) % 2)
        entry = struct.pack(">4sI", b"alis", 0) + record + struct.pack(">HH", 0xFFFF, 0)
    box = struct.pack(">I", 4 + len(entry)) + entry
    at = film.index(b"url \0\0\0\1") - 4
    body = bytearray(film[:at] + box + film[at + 12 :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        place = body.index(name) - 4
        size = struct.unpack_from(">I", body, place)[0]
        struct.pack_into(">I", body, place, size + len(box) - 12)
    return bytes(body)


def bomb(width: int, height: int) -> bytes:
    """Give a small PNG of a huge picture."""
    packer, row = zlib.compressobj(9), bytes(1 + width * 3)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def claim(width: int, height: int) -> bytes:
    """Give a PNG that only says how huge it is."""
    body = bomb(1, 1)
    head = struct.pack(">II", width, height) + body[24:29]
    return body[:16] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + body[33:]


def tracks(count: int) -> bytes:
    """Give an MP4 with that many tracks."""
    trak = _box(
        b"trak",
        _box(b"tkhd", bytes(84)),
        _box(
            b"mdia",
            _box(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 1000, 1000, 0)),
            _box(b"hdlr", bytes(8) + b"vide" + bytes(13)),
        ),
    )
    return _box(b"ftyp", b"isom\0\0\2\0isom") + _box(b"moov", trak * count)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def film(folder: Path) -> bytes:
    """Give a small honest MP4, whose index comes last."""
    return sources.silent(folder / "honest.mp4", seconds=2).read_bytes()


def victim(folder: Path) -> Path:
    """Make another user's film."""
    path = folder / "victim.ts"
    if not path.exists():
        sources.run("-i", sources.silent(folder / "of-another.mp4", seconds=2), "-c", "copy", path)
    return path


def leave(path: Path) -> None:
    """Let a file look unread: the kernel notes the next read, however it is mounted but noatime."""
    os.utime(path, (0, path.stat().st_mtime))


def was_read(path: Path) -> bool:
    """Tell whether a file was read since `leave`."""
    return path.stat().st_atime > 0


# Each is made of a folder, where another user's film lies, and of a port of this machine.
FILES: dict[str, Make] = {
    "HLS of a file": lambda folder, _: playlist(f"file://{victim(folder)}"),
    "HLS of a relative file": lambda folder, _: playlist(victim(folder).name),
    "HLS of /etc/passwd": lambda *_: playlist("file:///etc/passwd"),
    "HLS of a URL": lambda _, port: playlist(f"http://127.0.0.1:{port}/a.ts"),
    "HLS of concat:": lambda _, port: playlist(f"concat:http://127.0.0.1:{port}/a|file:///etc/passwd"),
    "HLS of itself": lambda *_: playlist("source"),
    "HLS with a file as key": lambda folder, _: keyed("file:///etc/passwd", str(victim(folder))),
    "HLS with a URL as key": lambda folder, p: keyed(f"http://127.0.0.1:{p}/k", str(victim(folder))),
    "ffconcat of a file": lambda folder, _: script(str(victim(folder))),
    "ffconcat of a relative file": lambda folder, _: script(victim(folder).name),
    "ffconcat of a URL": lambda _, port: script(f"http://127.0.0.1:{port}/a.ts"),
    "DASH of a file": lambda folder, _: manifest(str(victim(folder))),
    "DASH of a URL": lambda _, port: manifest(f"http://127.0.0.1:{port}/a.mp4"),
    "DASH with an entity": lambda *_: manifest("&leak;", entity="file:///etc/passwd"),
    "SVG of a file": lambda *_: drawing("file:///etc/passwd"),
    "SVG of a URL": lambda _, port: drawing(f"http://127.0.0.1:{port}/a.png"),
    "SDP": lambda _, port: session(port),
    "image sequence": lambda *_: b"img%03d.png\n",
    "text for a terminal": lambda *_: b"\x1b[31mroot:x:0:0:root:/root:/bin/bash\n" * 50,
    "MP4 referring to a file": lambda folder, _: referring(
        film(folder), f"file://{victim(folder)}", b"url "
    ),
    "MOV with an alias of /etc/passwd": lambda folder, _: referring(
        film(folder), "file:///etc/passwd", b"alis"
    ),
    "MP4 referring to a URL": lambda folder, port: referring(
        film(folder), f"http://127.0.0.1:{port}/a.mp4", b"url "
    ),
    "PNG of 16,000 x 15,000": lambda *_: bomb(16_000, 15_000),
    "PNG said to be 60,000 x 60,000": lambda *_: claim(60_000, 60_000),
    "5,000 tracks": lambda *_: tracks(5_000),
}
