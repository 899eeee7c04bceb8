"""Writes an object of any size to S3 in parts, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from nextstream.adapters.s3_errors import translated

PART_BYTES = 8 * 1024**2  # S3 wants 5 MiB at least
IN_MEMORY_BYTES = 1024**2  # of a part in the making; more waits on the disk, hundreds may come at once
PARTS_OF_A_SIZE = 2000  # then they double: S3's 10,000 parts hold 484 GiB

log = structlog.get_logger()


def size_of(number: int) -> int:
    """Give the bytes of a part of an object whose size nobody knows; numbers start at 0 here.

    Parts are of equal size, as R2 wants them, and grow after 15 GiB only.
    """
    return int(PART_BYTES * 2 ** (number // PARTS_OF_A_SIZE))


def gather(
    blocks: Iterable[bytes], size_of: Callable[[int], int] = size_of
) -> Iterator[tuple[IO[bytes], int]]:
    """Give the bytes of the blocks as files of the wanted sizes, the last one shorter, with their sizes.

    They are files, which are sent piece by piece; a bytearray would have to be sent whole in the
    time that a connection may take to open.
    """
    part, number = _new_part(), 0
    for block in blocks:
        rest = memoryview(block)
        while rest:
            wanted = size_of(number) - part.tell()
            part.write(rest[:wanted])
            rest = rest[wanted:]
            if part.tell() == size_of(number):
                yield _rewound(part)
                part, number = _new_part(), number + 1
    if part.tell():
        yield _rewound(part)


def _new_part() -> IO[bytes]:
    return SpooledTemporaryFile(IN_MEMORY_BYTES)  # closed by its sender


def _rewound(part: IO[bytes]) -> tuple[IO[bytes], int]:
    size_bytes = part.tell()
    part.seek(0)
    return part, size_bytes


def send(
    client: Any, name: Mapping[str, str], parts: Iterable[tuple[IO[bytes], int]], content_type: str
) -> tuple[Mapping[str, Any], int]:
    """Write an object in parts, and give S3's answer and the object's size in bytes.

    If anything fails, gathering the parts included, none of them stays.
    """
    with _upload(client, name, content_type) as upload:
        sent, size_bytes = _send_parts(client, upload, parts)
        return _complete(client, upload, sent, size_bytes), size_bytes


@contextmanager
def _upload(client: Any, name: Mapping[str, str], content_type: str) -> Iterator[dict[str, str]]:
    with translated(name["Key"]):
        begun = client.create_multipart_upload(**name, ContentType=content_type)
    upload = {**name, "UploadId": begun["UploadId"]}
    try:
        yield upload
    except BaseException:
        _abort(client, upload)
        raise


def _abort(client: Any, upload: Mapping[str, str]) -> None:
    try:
        client.abort_multipart_upload(**upload)
    except (ClientError, BotoCoreError) as error:  # why the upload failed matters more
        log.warning("parts of a failed upload stay in the storage", key=upload["Key"], error=str(error))


def _send_parts(
    client: Any, upload: Mapping[str, str], parts: Iterable[tuple[IO[bytes], int]]
) -> tuple[list[dict[str, Any]], int]:
    """Send a part while the next one is gathered, in order: some servers write them as they come."""
    sent: list[dict[str, Any]] = []
    size_bytes = 0
    waiting: Future[dict[str, Any]] | None = None
    with ThreadPoolExecutor(1) as sender:
        for number, (part, part_bytes) in enumerate(parts, 1):
            if waiting:
                sent.append(waiting.result())
            waiting = sender.submit(_send_part, client, upload, number, part)
            size_bytes += part_bytes
        if waiting:
            sent.append(waiting.result())
    return sent, size_bytes


def _send_part(client: Any, upload: Mapping[str, str], number: int, part: IO[bytes]) -> dict[str, Any]:
    with part, translated(upload["Key"]):
        answer = client.upload_part(**upload, PartNumber=number, Body=part)
    return {"PartNumber": number, "ETag": answer["ETag"]}


def _complete(
    client: Any, upload: Mapping[str, str], sent: list[dict[str, Any]], size_bytes: int
) -> Mapping[str, Any]:
    with translated(upload["Key"]):
        try:
            answer = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent})
        except client.exceptions.NoSuchUpload:
            # The answer to a first try was lost, and the second finds the upload done and gone.
            answer = client.head_object(Bucket=upload["Bucket"], Key=upload["Key"])
            if answer["ContentLength"] != size_bytes:
                raise
    found: Mapping[str, Any] = answer
    return found
