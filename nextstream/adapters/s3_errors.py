"""What S3's errors mean, in ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  botocore's name
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)

from nextstream.errors import ObjectNotFound, StorageError, StorageUnavailable

_UNREACHABLE = (ConnectionError, HTTPClientError, IncompleteReadError)
_NO_KEYS = (NoCredentialsError, PartialCredentialsError)
_ABSENT = frozenset({"NoSuchKey", "404"})  # an answer to HEAD has no body to say more
_BUSY = frozenset({"SlowDown", "Throttling", "TooManyRequests", "RequestTimeout"})
_REFUSED = (
    "The storage refuses NextStream's keys; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "and what they may do with the bucket."
)
_NO_BUCKET = "There is no such bucket; make it, or correct NEXTSTREAM_STORAGE_URL."


@contextmanager
def translated(key: str) -> Iterator[None]:
    """Turn what boto3 raises in the block into our errors, with the key as detail."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate(error, key) from error


def translate(error: ClientError | BotoCoreError, key: str) -> StorageError:
    """Give our error for one of boto3's."""
    detail = f"{key}: {error}"
    if isinstance(error, ClientError):
        return _of_answer(error, detail)
    if isinstance(error, _UNREACHABLE):
        return StorageUnavailable(detail=detail)
    return StorageError(_REFUSED if isinstance(error, _NO_KEYS) else None, detail=detail)


def status(error: ClientError) -> int:
    """Give the HTTP status of an answer."""
    found: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return found


def _of_answer(error: ClientError, detail: str) -> StorageError:
    code = error.response.get("Error", {}).get("Code")
    if code in _ABSENT:
        return ObjectNotFound(detail=detail)
    if code == "NoSuchBucket":
        return StorageError(_NO_BUCKET, detail=detail)
    if code in _BUSY or status(error) >= 500:
        return StorageUnavailable(detail=detail)
    # 400 comes with keys that have expired, 301 from another region's bucket.
    refused = status(error) in (401, 403) or code in ("ExpiredToken", "InvalidToken")
    return StorageError(_REFUSED if refused else None, detail=detail)
