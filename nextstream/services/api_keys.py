"""API keys of an account: making, using and revoking them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog

from nextstream.domain import api_keys
from nextstream.domain.access import Action, demand
from nextstream.domain.accounts import Caller, Scope
from nextstream.domain.api_keys import ApiKey
from nextstream.domain.audit import NOWHERE, Origin
from nextstream.errors import BadRequest, InvalidToken, KeyNotFound, NotAllowed, TooManyKeys
from nextstream.ports import Platform
from nextstream.services import audit, logins

log = structlog.get_logger()

KEYS_MAX = 50  # of an account, so that a list is a list
NAME_MAX = 100


def make(
    platform: Platform,
    who: Caller,
    name: str,
    scopes: frozenset[Scope],
    expires_at: datetime | None = None,
    origin: Origin = NOWHERE,
) -> tuple[ApiKey, str]:
    """Make a key and give it with its text, which is nowhere kept.

    Raises NotAllowed for scopes the caller hasn't or a key mustn't have, BadRequest and TooManyKeys.
    """
    demand(who, Action.MANAGE_ACCOUNT)
    now = platform.clock.now()
    _check(who, name, scopes, expires_at, now)
    key, text = api_keys.make(who.id, name.strip(), scopes, now, expires_at)
    with platform.database.transaction() as tx:
        if len(tx.api_keys.list(who.id)) >= KEYS_MAX:
            raise TooManyKeys
        tx.api_keys.add(key)
        facts: dict[str, Any] = {"key_name": key.name, "scopes": list(key.scopes)}
        audit.note(platform, tx, "auth.key_made", origin, actor_id=who.id, subject_id=key.id, **facts)
    return key, text


def list_keys(platform: Platform, who: Caller) -> Sequence[ApiKey]:
    """Give the caller's keys that aren't revoked, the newest first."""
    demand(who, Action.MANAGE_ACCOUNT)
    with platform.database.transaction() as tx:
        return tx.api_keys.list(who.id)


def revoke(platform: Platform, who: Caller, key_id: str, origin: Origin = NOWHERE) -> None:
    """End one of the caller's keys at once; raises KeyNotFound."""
    demand(who, Action.MANAGE_ACCOUNT)
    with platform.database.transaction() as tx:
        key = tx.api_keys.get(key_id)
        if key is None or key.account_id != who.id or key.revoked_at:
            raise KeyNotFound
        tx.api_keys.revoke(key.id, platform.clock.now())
        audit.note(platform, tx, "auth.key_revoked", origin, actor_id=who.id, subject_id=key.id)


def caller(platform: Platform, text: str, origin: Origin = NOWHERE) -> Caller:
    """Give whose key this is, with its scopes; raises InvalidToken where it isn't good.

    Notes its use once a minute, and the first one a day as an event.
    """
    parsed = api_keys.parse(text)
    if parsed is None:
        raise InvalidToken("The API key isn't valid.")
    key_id, secret = parsed
    now = platform.clock.now()
    with platform.database.reading() as tx:
        key = tx.api_keys.get(key_id)
        account = tx.accounts.get(key.account_id) if key else None
    good = key and api_keys.is_good(key, secret, now) and account and not account.disabled_at
    if not (good and key and account):
        raise InvalidToken("The API key isn't valid; it may have expired or been revoked.")
    if api_keys.notes_use(key, now):
        _note_use(platform, key, origin)
    return logins.as_caller(account, frozenset(key.scopes), key_id=key.id)


def _note_use(platform: Platform, key: ApiKey, origin: Origin) -> None:
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        if tx.api_keys.note_use(key, now) and api_keys.is_first_of_day(key, now):
            who = {"actor_id": key.account_id, "subject_id": key.id}
            audit.note(platform, tx, "auth.key_used", origin, **who)


def _check(
    who: Caller, name: str, scopes: frozenset[Scope], expires_at: datetime | None, now: datetime
) -> None:
    if not 0 < len(name.strip()) <= NAME_MAX:
        raise BadRequest(f"Give the key a name of at most {NAME_MAX} characters.")
    if not scopes:
        raise BadRequest("Give the key at least one scope.")
    if Scope.ACCOUNT in scopes:
        raise NotAllowed("A key can't have the scope account: it could make others.")
    if not scopes <= who.scopes:
        lacking = ", ".join(sorted(scopes - who.scopes))
        raise NotAllowed(f"Your own login lacks the scope {lacking}.")
    if expires_at is not None and expires_at <= now:
        raise BadRequest("The key would be expired already.")
