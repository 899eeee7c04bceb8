"""Logging in and out, and the sessions between: who a request's token stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import structlog

from nextstream.domain import sessions
from nextstream.domain.access import Action, demand
from nextstream.domain.accounts import Account, Caller, Scope
from nextstream.domain.audit import NOWHERE, Origin
from nextstream.domain.sessions import Session, Turn
from nextstream.errors import BadCredentials, InvalidToken, SessionNotFound
from nextstream.ports import Platform, Transaction
from nextstream.services import accounts, audit, guesses

log = structlog.get_logger()


@dataclass(frozen=True)
class Login:
    """A login that goes on: its session, and the refresh token to go on with."""

    account: Account
    session: Session
    refresh_token: str


def log_in(
    platform: Platform,
    name: str,
    password: str,
    origin: Origin = NOWHERE,
    scopes: frozenset[Scope] | None = None,
) -> Login:
    """Begin a session for this name and password, with these scopes or all that the role has.

    Raises BadCredentials, with the same words and after the same time whichever of the two is
    wrong, also where the account is disabled; and TooManyRequests after too many failures.
    """
    name = name.strip().lower()
    with guesses.counted(platform, name, origin):
        account = _known(platform, name)
        right = accounts.is_right(platform, account, password)
        if account is None or account.disabled_at or not right:
            _note_failure(platform, account, origin)
            raise BadCredentials
    outdated = platform.passwords.is_outdated(account.password_hash)
    renewed = platform.passwords.hash(password) if outdated else None
    login = _begin(platform, account, scopes, renewed, origin)
    return login or log_in(platform, name, password, origin, scopes)


def refresh(platform: Platform, token: str, origin: Origin = NOWHERE) -> Login:
    """Use a refresh token and give its successor; raises InvalidToken.

    One that was used before ends the session, for one of its two users is a thief; but within
    sessions.GRACE_S the last one gives its successor again.
    """
    session_id, secret = _parse(token)
    with platform.database.transaction() as tx:
        session = tx.sessions.lock(session_id)
        account = tx.accounts.get(session.account_id) if session else None
        turn, after, successor = Turn.OVER, session, None
        if session and account and not account.disabled_at:
            idle_s = platform.settings.refresh_token_s
            turn, after, successor = sessions.turn(session, secret, platform.clock.now(), idle_s)
            _note_turn(platform, tx, session, turn, after, origin)
    if not (account and after and successor):  # raised here, for a reuse must stay noted
        raise InvalidToken("This login has ended; log in again.")
    return Login(account, after, successor)


def caller(platform: Platform, session_id: str, scopes: frozenset[Scope]) -> Caller:
    """Give whose session this is, with the token's scopes; raises InvalidToken where it has ended.

    Each request asks the database: so a token dies with its session, and not 15 minutes later.
    """
    now, idle_s = platform.clock.now(), platform.settings.refresh_token_s
    with platform.database.reading() as tx:
        session = tx.sessions.get(session_id)
        account = tx.accounts.get(session.account_id) if session else None
    if not session or not account or sessions.is_over(session, now, idle_s) or account.disabled_at:
        raise InvalidToken("This login has ended; log in again.")
    return as_caller(account, scopes & frozenset(session.scopes), session_id=session.id)


def as_caller(
    account: Account, granted: frozenset[Scope], session_id: str | None = None, key_id: str | None = None
) -> Caller:
    """Give an account as one request uses it."""
    known = {field.name: getattr(account, field.name) for field in fields(Account)}
    return Caller(**known, granted=granted, session_id=session_id, key_id=key_id)


def list_sessions(platform: Platform, who: Caller) -> Sequence[Session]:
    """Give the caller's sessions that go on, the last used first."""
    demand(who, Action.MANAGE_ACCOUNT)
    now, idle_s = platform.clock.now(), platform.settings.refresh_token_s
    with platform.database.transaction() as tx:
        return [s for s in tx.sessions.list(who.id) if not sessions.is_over(s, now, idle_s)]


def end_session(platform: Platform, who: Caller, session_id: str, origin: Origin = NOWHERE) -> None:
    """End one of the caller's sessions; raises SessionNotFound."""
    demand(who, Action.MANAGE_ACCOUNT)
    with platform.database.transaction() as tx:
        session = tx.sessions.lock(session_id)
        if session is None or session.account_id != who.id or session.ended_at:
            raise SessionNotFound
        _end(platform, tx, session, "owner", origin)


def end_all(platform: Platform, who: Caller, origin: Origin = NOWHERE) -> int:
    """End all sessions of the caller, this one too, and count them."""
    demand(who, Action.MANAGE_ACCOUNT)
    with platform.database.transaction() as tx:
        ended = accounts.end_sessions(platform, tx, who.id, "everywhere", keep=None)
        facts: dict[str, Any] = {"sessions_ended": ended}
        audit.note(platform, tx, "auth.logged_out_everywhere", origin, actor_id=who.id, **facts)
    return ended


def log_out(platform: Platform, session_id: str, origin: Origin = NOWHERE) -> None:
    """End a session whose token the caller holds; may run twice."""
    with platform.database.transaction() as tx:
        session = tx.sessions.lock(session_id)
        if session and not session.ended_at:
            _end(platform, tx, session, "logout", origin)


def log_out_by_refresh(platform: Platform, token: str, origin: Origin = NOWHERE) -> None:
    """End the session of a refresh token, where it is the one that is good now or the last before."""
    session_id, secret = _parse(token)
    with platform.database.transaction() as tx:
        session = tx.sessions.lock(session_id)
        if session and not session.ended_at and sessions.knows(session, secret):
            _end(platform, tx, session, "logout", origin)


def prune(platform: Platform) -> int:
    """Remove sessions that expired, and count them; may run twice."""
    with platform.database.transaction() as tx:
        return tx.sessions.prune(platform.clock.now())


def _known(platform: Platform, name: str) -> Account | None:
    """Look an account up by name; what can't be a name is looked up as well, for the time it takes."""
    looked_up = name if accounts.is_name(name) else "-"  # a name nobody can have
    with platform.database.transaction() as tx:
        return tx.accounts.find(looked_up)


def _note_failure(platform: Platform, account: Account | None, origin: Origin) -> None:
    actor_id, result = account.id if account else None, audit.REFUSED
    with platform.database.transaction() as tx:
        audit.note(platform, tx, "auth.login_failed", origin, actor_id=actor_id, result=result)
    log.warning("login failed", account_id=actor_id or audit.STRANGER)


def _begin(
    platform: Platform,
    account: Account,
    scopes: frozenset[Scope] | None,
    password_hash: str | None,
    origin: Origin,
) -> Login | None:
    """Begin a session; None where the account changed since its password was checked, which is slow."""
    now, lifetime_s = platform.clock.now(), platform.settings.session_s
    with platform.database.transaction() as tx:
        found = tx.accounts.lock(account.id)
        if found is None or found.disabled_at or found.password_hash != account.password_hash:
            return None
        account = replace(found, password_hash=password_hash or found.password_hash)
        if account != found:
            tx.accounts.save(account)
        granted = account.scopes if scopes is None else account.scopes & scopes
        session, token = sessions.begin(account.id, granted, now, lifetime_s, origin)
        tx.sessions.add(session)
        audit.note(platform, tx, "auth.logged_in", origin, actor_id=account.id, subject_id=session.id)
    return Login(account, session, token)


def _note_turn(
    platform: Platform, tx: Transaction, before: Session, turn: Turn, after: Session, origin: Origin
) -> None:
    if after is before:
        return
    tx.sessions.save(after)
    reused = turn is Turn.REUSED
    action, result = f"auth.refresh_{turn}", audit.REFUSED if reused else audit.OK
    who = {"actor_id": before.account_id, "subject_id": before.id}
    audit.note(platform, tx, action, origin, result=result, **who)
    if reused:
        log.warning("refresh token reused, session ended", account_id=before.account_id)


def _end(platform: Platform, tx: Transaction, session: Session, by: str, origin: Origin) -> None:
    tx.sessions.save(sessions.end(session, platform.clock.now(), by))
    who = {"actor_id": session.account_id, "subject_id": session.id}
    audit.note(platform, tx, "auth.logged_out", origin, **who, reason=by)


def _parse(token: str) -> tuple[str, str]:
    parsed = sessions.parse(token)
    if parsed is None:
        raise InvalidToken
    return parsed
