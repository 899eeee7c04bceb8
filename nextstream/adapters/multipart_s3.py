"""Objects in parts, by S3's multipart uploads; what is too short for a part is an object of its own.

The bytes after the last whole part, the tail, are written to a new key each time and never changed:
whatever is killed between two steps, the noted Parts name objects that are there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from nextstream.adapters import s3_parts
from nextstream.adapters.s3_errors import status, translated
from nextstream.errors import ObjectNotFound
from nextstream.ports import Parts, SentPart, StoredObject

if TYPE_CHECKING:
    from nextstream.adapters.storage_s3 import S3Storage

CONTENT_TYPE = "application/octet-stream"
READ_BYTES = 256 * 1024


class S3Multipart:
    """Multipart uploads of a bucket; `name` gives the Bucket and Key of one of our keys."""

    def __init__(
        self, client: Any, storage: S3Storage, name: Callable[[str], Mapping[str, str]]
    ) -> None:
        self._client, self._storage, self._name = client, storage, name

    def append(
        self, key: str, parts: Parts, part_bytes: int, blocks: Iterable[bytes]
    ) -> Iterator[Parts]:
        """Add blocks after `parts`; a part is sent while the next one is gathered."""
        waiting: Future[Parts] | None = None
        gathered = s3_parts.gather(self._with_tail(parts, blocks), lambda _: part_bytes)
        with ThreadPoolExecutor(1) as sender:
            for part, size_bytes in gathered:
                if waiting:
                    parts = waiting.result()
                    yield parts
                    waiting = None
                if size_bytes < part_bytes:
                    yield self._put_tail(key, parts, part, part_bytes)
                else:
                    if parts.upload_id is None:
                        parts = self._begin(key, parts)
                        yield parts  # noted before its first part: else nobody could end it
                    waiting = sender.submit(self._send, key, parts, part, part_bytes)
            if waiting:
                yield waiting.result()

    def complete(self, key: str, parts: Parts) -> StoredObject:
        """Send the tail as the last part and join all; a small object is its tail."""
        try:
            if parts.upload_id is None:
                body = self._storage.read(parts.tail_key) if parts.tail_key else b""
                stored = self._storage.put(key, body, CONTENT_TYPE)
            else:
                stored = self._join(key, parts)
        except ObjectNotFound:  # done before, and its answer was lost
            stored = self._storage.head(key)
            if stored.size_bytes != parts.size_bytes:
                raise
        self._storage.remove(_tails(key))
        return stored

    def abort(self, key: str, parts: Parts) -> None:
        """Remove the parts and all tails."""
        if parts.upload_id is not None:
            with translated(key):
                try:
                    self._client.abort_multipart_upload(**self._upload(key, parts))
                except ClientError as error:
                    if status(error) != 404:
                        raise
        self._storage.remove(_tails(key))

    def begin(self, key: str) -> Parts:
        """Begin an object whose parts are sent by a client."""
        return self._begin(key, Parts())

    def sign(self, key: str, parts: Parts, number: int, lifetime_s: int) -> str:
        """Give a URL for one part."""
        with translated(key):
            url: str = self._client.generate_presigned_url(
                "upload_part",
                Params={**self._upload(key, parts), "PartNumber": number},
                ExpiresIn=lifetime_s,
            )
        return url

    def sent(self, key: str, parts: Parts) -> Sequence[SentPart]:
        """List the parts, in pages of a thousand."""
        found: list[SentPart] = []
        with translated(key):
            try:
                pages = self._client.get_paginator("list_parts").paginate(**self._upload(key, parts))
                for page in pages:
                    found += [
                        SentPart(part["PartNumber"], part["Size"], part["ETag"])
                        for part in page.get("Parts", ())
                    ]
            except ClientError as error:
                if status(error) != 404:
                    raise
                raise ObjectNotFound(detail=f"{key}: {error}") from error
        return found

    def _begin(self, key: str, parts: Parts) -> Parts:
        with translated(key):
            begun = self._client.create_multipart_upload(**self._name(key), ContentType=CONTENT_TYPE)
        return replace(parts, upload_id=begun["UploadId"])

    def _send(self, key: str, parts: Parts, body: IO[bytes], part_bytes: int) -> Parts:
        """Send the part that follows `parts`; its tail was the part's beginning."""
        number = len(parts.etags) + 1
        with body, translated(key):
            answer = self._client.upload_part(**self._upload(key, parts), PartNumber=number, Body=body)
        return replace(
            parts,
            size_bytes=number * part_bytes,
            etags=(*parts.etags, answer["ETag"]),
            tail_key=None,
        )

    def _put_tail(self, key: str, parts: Parts, body: IO[bytes], part_bytes: int) -> Parts:
        data = body.read()
        size_bytes = len(parts.etags) * part_bytes + len(data)
        tail_key = f"{_tails(key)}{size_bytes}-{secrets.token_hex(8)}"
        self._storage.put(tail_key, data, CONTENT_TYPE)
        return replace(parts, size_bytes=size_bytes, tail_key=tail_key)

    def _with_tail(self, parts: Parts, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Give the tail so far and then the blocks; nothing at all where no block comes."""
        tail_key = parts.tail_key
        for block in blocks:
            if tail_key:
                yield self._storage.read(tail_key)
                tail_key = None
            yield block

    def _join(self, key: str, parts: Parts) -> StoredObject:
        number = len(parts.etags) + 1
        sent = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(parts.etags, 1)]
        upload = self._upload(key, parts)
        with translated(key):
            try:
                if parts.tail_key:
                    body = self._storage.read(parts.tail_key)
                    last = self._client.upload_part(**upload, PartNumber=number, Body=body)
                    sent.append({"PartNumber": number, "ETag": last["ETag"]})
                self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent})
            except ClientError as error:
                if status(error) != 404:  # NoSuchUpload, or NoSuchKey on other makers' servers
                    raise
                raise ObjectNotFound(detail=f"{key}: {error}") from error
        return self._storage.head(key)

    def _upload(self, key: str, parts: Parts) -> dict[str, Any]:
        return {**self._name(key), "UploadId": parts.upload_id}


def _tails(key: str) -> str:
    return f"{key}.tail/"
