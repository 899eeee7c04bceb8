"""Keeps objects in S3, or in anything that speaks its protocol."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from io import BytesIO
from itertools import chain
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

from nextstream.adapters import s3_parts, storage_keys
from nextstream.adapters.multipart_s3 import S3Multipart
from nextstream.adapters.s3_errors import status, translated
from nextstream.errors import Misconfigured, StorageError
from nextstream.ports import StoredObject

BLOCK_BYTES = 256 * 1024
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]+")  # not keys before an @, which would end in logs
LONGEST_LIFETIME_S = 7 * 86400  # S3's limit for a signed URL

SETTINGS: Mapping[str, Any] = {
    "signature_version": "s3v4",
    "connect_timeout": 5,  # an address that doesn't answer is told within a request's patience
    "read_timeout": 60,  # S3 may think for long before it answers a completed upload
    "retries": {"mode": "standard", "max_attempts": 3},
    "max_pool_connections": 64,  # a web process streams to 32 threads, and some make two requests
    # Newer checksums break other makers' servers; the signature and TLS guard the bytes as well.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


class S3Storage:
    """The objects of a bucket whose keys start with a prefix."""

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self.multipart = S3Multipart(client, self, self._name)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Open `s3://bucket/prefix?endpoint=http://host:port&region=us-east-1`.

        Prefix, endpoint and region may be left out. The keys are found as all of AWS's tools find
        them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role.
        """
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        if not _BUCKET.fullmatch(parts.netloc) or options.keys() - {"endpoint", "region"}:
            raise Misconfigured(
                "NEXTSTREAM_STORAGE_URL must look like s3://bucket/prefix?endpoint=URL&region=NAME; "
                "prefix, endpoint and region may be left out."
            )
        client = _connect(options.get("endpoint"), options.get("region"))
        return cls(client, parts.netloc, unquote(parts.path).strip("/"))

    def write(self, key: str, blocks: Iterable[bytes], content_type: str) -> StoredObject:
        """Store the blocks as one object; in parts where it is large."""
        name = self._name(key)
        parts = s3_parts.gather(blocks)
        first, first_bytes = next(parts, (BytesIO(), 0))
        if first_bytes < s3_parts.PART_BYTES:
            with first:
                return self.put(key, first.read(), content_type)
        answer, size_bytes = s3_parts.send(
            self._client, name, chain(((first, first_bytes),), parts), content_type
        )
        return _describe_stored(key, size_bytes, answer)

    def put(self, key: str, body: bytes, content_type: str) -> StoredObject:
        """Store a small object."""
        with translated(key):
            answer = self._client.put_object(**self._name(key), Body=body, ContentType=content_type)
        return _describe_stored(key, len(body), answer)

    def read(self, key: str) -> bytes:
        """Give a whole small object."""
        return b"".join(self.stream(key))

    def stream(self, key: str, offset: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Give a run of an object's bytes in blocks; a missing one is told at once."""
        blocks = self._blocks(key, offset, size_bytes)
        next(blocks)
        return blocks

    def head(self, key: str) -> StoredObject:
        """Look an object up."""
        with translated(key):
            found = self._client.head_object(**self._name(key))
        return _describe_found(key, found, found["ContentLength"])

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give all objects under a prefix, by key."""
        for page in self._pages(prefix):
            for found in page:
                yield _describe_found(found["Key"].removeprefix(self._prefix), found, found["Size"])

    def remove(self, prefix: str) -> int:
        """Remove all objects under a prefix, a page of the listing at a time."""
        count = 0
        for page in self._pages(prefix):  # 1000 keys, as many as one request may remove
            names = {"Objects": [{"Key": found["Key"]} for found in page], "Quiet": True}
            with translated(prefix):
                answer = self._client.delete_objects(Bucket=self._bucket, Delete=names)
            if failed := answer.get("Errors"):
                raise StorageError("The storage didn't remove all; try again.", detail=str(failed[0]))
            count += len(page)
        return count

    def locate(self, key: str, lifetime_s: int) -> str:
        """Give a signed URL; with the keys of a role it ends when they do."""
        lifetime_s = min(lifetime_s, LONGEST_LIFETIME_S)
        with translated(key):
            url: str = self._client.generate_presigned_url(
                "get_object", Params=self._name(key), ExpiresIn=lifetime_s
            )
        return url

    def ensure_bucket(self) -> None:
        """Make the bucket if it isn't there; may run twice."""
        with translated(self._bucket):
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if status(error) != 404:
                    raise
                self._client.create_bucket(Bucket=self._bucket, **self._place())

    def _place(self) -> Mapping[str, Any]:
        region = self._client.meta.region_name
        # S3 makes a bucket in us-east-1 where no place is given, and doesn't take that name for one.
        return (
            {}
            if region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )

    def _name(self, key: str) -> Mapping[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + storage_keys.check(key)}

    def _blocks(self, key: str, offset: int, size_bytes: int | None) -> Iterator[bytes]:
        """Give a first empty block as soon as the object is found, then the bytes."""
        body = self._open(key, offset, size_bytes)
        yield b""
        if body is None:
            return
        try:
            while block := _read(body, key):
                yield block
        finally:
            body.close()  # what nobody wants any more isn't fetched

    def _open(self, key: str, offset: int, size_bytes: int | None) -> Any:
        """Give the body of a run of bytes, or None where the run is empty."""
        if size_bytes == 0:  # no range can say this
            self.head(key)
            return None
        last = "" if size_bytes is None else offset + size_bytes - 1
        run = {} if offset == 0 and size_bytes is None else {"Range": f"bytes={offset}-{last}"}
        with translated(key):
            try:
                return self._client.get_object(**self._name(key), **run)["Body"]
            except ClientError as error:
                if status(error) != 416:  # RFC 9110, section 15.5.17: the object ends before
                    raise
                return None

    def _pages(self, prefix: str) -> Iterator[Any]:
        lister = self._client.get_paginator("list_objects_v2")
        pages = iter(lister.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix))
        while True:
            with translated(prefix):
                page: Mapping[str, Any] | None = next(pages, None)
            if page is None:
                return
            if found := page.get("Contents"):
                yield found


def _connect(endpoint: str | None, region: str | None) -> Any:
    # Buckets as host names need a name server that knows them, which an own server seldom has.
    style = {"addressing_style": "path" if endpoint else "auto"}
    # A session of our own: boto3's shared one is not safe among threads.
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=region or ("us-east-1" if endpoint else None),  # some must be signed
        config=Config(s3=style, **SETTINGS),
    )


def _read(body: Any, key: str) -> bytes:
    with translated(key):
        block: bytes = body.read(BLOCK_BYTES)
    return block


def _describe_stored(key: str, size_bytes: int, answer: Mapping[str, Any]) -> StoredObject:
    """Describe what was just stored, at the server's own time, without asking again."""
    stored_at = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return StoredObject(key, size_bytes, answer["ETag"].strip('"'), stored_at)


def _describe_found(key: str, found: Mapping[str, Any], size_bytes: int) -> StoredObject:
    return StoredObject(key, size_bytes, found["ETag"].strip('"'), found["LastModified"])
