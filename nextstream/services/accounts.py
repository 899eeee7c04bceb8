"""Accounts from their making to their end: registering, passwords, roles, and the first operator."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from nextstream.domain import sessions
from nextstream.domain.access import Action, demand
from nextstream.domain.accounts import Account, Caller, Role
from nextstream.domain.audit import NOWHERE, Origin
from nextstream.errors import (
    AccountExists,
    AccountNotFound,
    BadRequest,
    NotAllowed,
    RegistrationClosed,
    WeakPassword,
    WrongPassword,
)
from nextstream.ports import Platform, Transaction
from nextstream.services import audit, guesses

log = structlog.get_logger()

OPERATOR = "operator"
PAGE = 100
PASSWORD_MIN = 8
PASSWORD_MAX = 1024

NAME = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{2,63}$"  # kept in lower case

_NAME = re.compile(NAME)


def ensure_operator(platform: Platform) -> str | None:
    """Create the first account and give its password, or None where there are accounts already."""
    with platform.database.transaction() as tx:
        if tx.accounts.count():
            return None
    password = secrets.token_urlsafe(15)
    try:
        add(platform, OPERATOR, password, Role.OPERATOR)
    except AccountExists:  # another process was first
        return None
    return password


def register(platform: Platform, name: str, password: str, origin: Origin = NOWHERE) -> Account:
    """Create an account for someone who asks for one, with the role of an uploader.

    Raises RegistrationClosed, and as `add`.
    """
    if platform.settings.registration != "open":
        raise RegistrationClosed
    return add(platform, name, password, Role.UPLOADER, origin)


def add(platform: Platform, name: str, password: str, role: Role, origin: Origin = NOWHERE) -> Account:
    """Create an account of any role; raises BadRequest, WeakPassword and AccountExists."""
    name = name.strip().lower()
    if not is_name(name):
        raise BadRequest(
            "A name has 3 to 64 characters: a to z, digits and . _ @ + -, a letter or digit first."
        )
    _check_password(platform, name, password)
    now = platform.clock.now()
    # Hashing is slow on purpose, so no transaction is open meanwhile.
    account = Account(secrets.token_hex(11), name, platform.passwords.hash(password), role, now)
    with platform.database.transaction() as tx:
        tx.accounts.add(account)
        facts = {"name": name, "role": role}
        audit.note(platform, tx, "auth.registered", origin, actor_id=account.id, **facts)
    log.info("account registered", account_id=account.id, role=role)
    return account


def is_name(name: str) -> bool:
    """Tell whether an account can have this name."""
    return bool(_NAME.fullmatch(name))


def is_right(platform: Platform, account: Account | None, password: str) -> bool:
    """Tell whether a password is an account's, in the same time whether there is one or not.

    What is longer than any password is wrong, unseen: Unicode has texts that take minutes to normalize.
    """
    known = account.password_hash if account else None
    return len(password) <= PASSWORD_MAX and platform.passwords.verify(known, password)


def change_password(
    platform: Platform, caller: Caller, current: str, new: str, origin: Origin = NOWHERE
) -> int:
    """Change the caller's password and count the other sessions, all of which end.

    Raises WrongPassword where the current one is wrong, TooManyRequests after too many of those,
    and WeakPassword.
    """
    demand(caller, Action.MANAGE_ACCOUNT)
    with guesses.counted(platform, caller.name, origin):
        if not is_right(platform, caller, current):
            with platform.database.transaction() as tx:
                facts: dict[str, Any] = {"actor_id": caller.id, "result": audit.REFUSED}
                audit.note(platform, tx, "auth.password_changed", origin, **facts)
            raise WrongPassword
    return _set_password(platform, caller, new, origin, keep=caller.session_id)


def reset_password(platform: Platform, name: str, new: str, origin: Origin = NOWHERE) -> int:
    """Give an account a new password and count its sessions, all of which end; for the command line.

    Raises AccountNotFound and WeakPassword.
    """
    with platform.database.transaction() as tx:
        account = _named(tx, name)
    return _set_password(platform, account, new, origin, keep=None)


def everyone(platform: Platform) -> Iterator[Account]:
    """Give all accounts by name, for the command line."""
    after: str | None = None
    while True:
        with platform.database.transaction() as tx:
            found = tx.accounts.page(after, PAGE)
        yield from found
        if len(found) < PAGE:
            return
        after = found[-1].name


def amend(
    platform: Platform, name: str, role: Role | None = None, *, disabled: bool | None = None
) -> Account:
    """Change an account's role or disable it, whoever it is; for the command line.

    Raises AccountNotFound.
    """
    with platform.database.transaction() as tx:
        return _change(platform, tx, _lock(tx, _named(tx, name).id), role, disabled, None, NOWHERE)


def get(platform: Platform, operator: Account, account_id: str) -> Account:
    """Give an account to an operator; raises NotAllowed and AccountNotFound."""
    demand(operator, Action.OPERATE)
    with platform.database.transaction() as tx:
        return _find(tx, account_id)


def page(
    platform: Platform, operator: Account, after: str | None, limit: int
) -> tuple[Sequence[Account], str | None]:
    """Give accounts by name to an operator, and the name to ask for those `after`, or None."""
    demand(operator, Action.OPERATE)
    with platform.database.transaction() as tx:
        found = tx.accounts.page(after, limit + 1)
    return found[:limit], found[limit - 1].name if len(found) > limit else None


def change(
    platform: Platform,
    operator: Account,
    account_id: str,
    role: Role | None = None,
    *,
    disabled: bool | None = None,
    quotas: Mapping[str, Any] | None = None,
    origin: Origin = NOWHERE,
) -> Account:
    """Change an account's role or quotas, or disable or enable it; an operator can't do so to themself.

    So there is always one left, also where two change each other at once. Tokens and keys lose what
    the role hasn't at once. `quotas` are by their names in Account. Raises NotAllowed and
    AccountNotFound.
    """
    demand(operator, Action.OPERATE)
    if account_id == operator.id:
        raise NotAllowed("Let another operator change your own account.")
    with platform.database.transaction() as tx:
        found = _lock_as_operator(tx, operator, account_id)
        account = _change(platform, tx, found, role, disabled, operator.id, origin)
        return _set_quotas(platform, tx, account, quotas or {}, operator.id, origin)


def end_all_sessions(
    platform: Platform, operator: Account, account_id: str, origin: Origin = NOWHERE
) -> int:
    """End all sessions of an account, for an operator, and count them; may run twice.

    Its API keys stay. Raises NotAllowed and AccountNotFound.
    """
    demand(operator, Action.OPERATE)
    with platform.database.transaction() as tx:
        account = _find(tx, account_id)
        ended = end_sessions(platform, tx, account.id, "operator", keep=None)
        who = {"actor_id": operator.id, "subject_id": account.id}
        facts: dict[str, Any] = {"account_id": account.id, "sessions_ended": ended}
        audit.note(platform, tx, "auth.sessions_ended", origin, **who, **facts)
    return ended


def _change(
    platform: Platform,
    tx: Transaction,
    account: Account,
    role: Role | None,
    disabled: bool | None,  # noqa: FBT001  a state to set, as in the API
    by: str | None,
    origin: Origin,
) -> Account:
    if role is not None and role is not account.role:
        account = _set_role(platform, tx, account, role, by, origin)
    if disabled is not None and disabled != bool(account.disabled_at):
        account = _set_disabled(platform, tx, account, disabled, by, origin)
    return account


def _set_role(
    platform: Platform, tx: Transaction, account: Account, role: Role, by: str | None, origin: Origin
) -> Account:
    """Give an account another role."""
    changed = replace(account, role=role)
    tx.accounts.save(changed)
    facts = {"account_id": account.id, "before": account.role, "after": role}
    audit.note(platform, tx, "auth.role_changed", origin, actor_id=by, subject_id=account.id, **facts)
    return changed


def _set_disabled(
    platform: Platform,
    tx: Transaction,
    account: Account,
    disabled: bool,  # noqa: FBT001  a state to set, as in the API
    by: str | None,
    origin: Origin,
) -> Account:
    """Disable an account and end its sessions, or enable it; its videos stay either way."""
    changed = replace(account, disabled_at=platform.clock.now() if disabled else None)
    tx.accounts.save(changed)
    if disabled:
        end_sessions(platform, tx, account.id, "disabled", keep=None)
    action = "auth.disabled" if disabled else "auth.enabled"
    facts = {"account_id": account.id}
    audit.note(platform, tx, action, origin, actor_id=by, subject_id=account.id, **facts)
    return changed


def _set_quotas(
    platform: Platform,
    tx: Transaction,
    account: Account,
    quotas: Mapping[str, Any],
    by: str,
    origin: Origin,
) -> Account:
    """Give an account quotas of its own; None is the quota of all again."""
    changed = replace(account, **quotas)
    if changed != account:
        tx.accounts.save(changed)
        facts = {"account_id": account.id, **quotas}
        audit.note(
            platform, tx, "auth.quotas_changed", origin, actor_id=by, subject_id=account.id, **facts
        )
    return changed


def end_sessions(
    platform: Platform, tx: Transaction, account_id: str, by: str, *, keep: str | None
) -> int:
    """End an account's sessions but for one, and count them."""
    others = [session for session in tx.sessions.list(account_id) if session.id != keep]
    for session in others:
        tx.sessions.save(sessions.end(session, platform.clock.now(), by))
    return len(others)


def _set_password(
    platform: Platform, account: Account, new: str, origin: Origin, keep: str | None
) -> int:
    _check_password(platform, account.name, new)
    password_hash = platform.passwords.hash(new)
    with platform.database.transaction() as tx:
        found = _lock(tx, account.id)
        if isinstance(account, Caller) and found.password_hash != account.password_hash:
            raise WrongPassword  # by another change of this moment
        tx.accounts.save(replace(found, password_hash=password_hash))
        ended = end_sessions(platform, tx, account.id, "password", keep=keep)
        facts: dict[str, Any] = {"account_id": account.id, "sessions_ended": ended}
        actor_id = account.id if isinstance(account, Caller) else None
        audit.note(platform, tx, "auth.password_changed", origin, actor_id=actor_id, **facts)
    return ended


def _named(tx: Transaction, name: str) -> Account:
    account = tx.accounts.find(name)
    if account is None:
        raise AccountNotFound(f"There is no account called {name}.")
    return account


def _find(tx: Transaction, account_id: str) -> Account:
    return _there(tx.accounts.get(account_id))


def _lock(tx: Transaction, account_id: str) -> Account:
    """Give an account to change: what another transaction does to it meanwhile would be lost."""
    return _there(tx.accounts.lock(account_id))


def _there(account: Account | None) -> Account:
    if account is None:
        raise AccountNotFound
    return account


def _lock_as_operator(tx: Transaction, operator: Account, account_id: str) -> Account:
    """Give an account to change to who is an operator still; raises NotAllowed and AccountNotFound."""
    # In one order, so that two who change each other don't wait for each other.
    found = {each: tx.accounts.lock(each) for each in sorted((operator.id, account_id))}
    still = found[operator.id]
    if still is None or still.disabled_at or still.role is not Role.OPERATOR:
        raise NotAllowed("You are no operator any more.")
    return _there(found[account_id])


def _check_password(platform: Platform, name: str, password: str) -> None:
    """Refuse what is guessed first; any characters will do (NIST SP 800-63B section 3.1.1.2)."""
    if len(password) < PASSWORD_MIN:
        raise WeakPassword
    if len(password) > PASSWORD_MAX:
        raise WeakPassword(f"The password may have at most {PASSWORD_MAX} characters.")
    if password.lower() == name or platform.passwords.is_common(password):
        raise WeakPassword("This password is among those that are guessed first; choose another.")
