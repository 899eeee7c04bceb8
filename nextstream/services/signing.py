"""Changing the key that signs access tokens, without anyone noticing."""

from __future__ import annotations

from typing import Any

import structlog

from nextstream.domain.audit import NOWHERE
from nextstream.domain.signing import LEEWAY_S, SigningKey
from nextstream.ports import Platform
from nextstream.services import audit

log = structlog.get_logger()


def rotate(platform: Platform, *, at_once: bool = False) -> SigningKey:
    """Publish a new key, which signs when all services know it; the old one stays until it is over.

    `at_once` is for a key that was stolen: all old keys are forgotten, so that access tokens signed
    by them end as soon as services fetch the keys again; logins go on by their refresh tokens.
    """
    keys, settings = platform.signing_keys, platform.settings
    key = keys.replace() if at_once else keys.rotate(settings.keys_cache_s + LEEWAY_S)
    with platform.database.transaction() as tx:
        facts: dict[str, Any] = {
            "subject_id": key.kid,
            "signs_from": key.signs_from.isoformat(),
            "at_once": at_once,
        }
        audit.note(platform, tx, "auth.signing_key_rotated", NOWHERE, actor_id=None, **facts)
    log.info("signing key made", kid=key.kid, signs_from=key.signs_from.isoformat())
    return key
