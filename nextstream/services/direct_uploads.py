"""Upload URLs that a backend hands to its user's browser: good for one video, for some time."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace

from nextstream.domain.access import Action, may
from nextstream.domain.accounts import Account
from nextstream.errors import BadRequest, UploadGone, UploadNotFound, WrongState
from nextstream.ports import Platform, Upload
from nextstream.services import resumable, upload_ends


def create(platform: Platform, owner: Account, wish: resumable.Wish) -> tuple[Upload, str]:
    """Begin an upload that whoever knows the secret may send; gives both, and keeps its hash alone."""
    longest_s = platform.settings.direct_expires_s
    if wish.expires_s is not None and not 0 < wish.expires_s <= longest_s:
        raise BadRequest(f"expires_s must be at least 1 and at most {longest_s}.")
    secret = secrets.token_urlsafe(32)
    chosen = replace(wish, secret_hash=_hash(secret), expires_s=wish.expires_s or longest_s)
    return resumable.create(platform, owner, chosen), secret


def find(platform: Platform, secret: str) -> Upload:
    """Give the upload of a direct URL; raises UploadNotFound, and UploadGone past its time.

    Its right is the owner's: it ends where they may upload no longer.
    """
    with platform.database.transaction() as tx:
        upload = tx.uploads.find_secret(_hash(secret))
        owner = tx.accounts.get(upload.owner_id) if upload else None
    if upload is None:
        raise UploadNotFound
    if owner and (owner.disabled_at or not may(owner, Action.UPLOAD)):
        raise UploadGone("Whoever gave this URL away may upload no longer.")
    upload_ends.check_alive(platform, upload)
    return upload


def open_(platform: Platform, upload: Upload, length: int | None) -> Upload:
    """Begin to send by a direct URL, once; raises WrongState where it has begun with another length."""
    begun = upload.offset > 0 or upload.length not in (None, length)
    if begun:
        raise WrongState("This upload URL has been used; ask for its offset, and go on from there.")
    return upload if length is None else resumable.declare(platform, upload, length)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
