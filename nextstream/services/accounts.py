"""Who may come in: registering, logging in and the operator of a fresh installation."""

from __future__ import annotations

import re
import secrets

import structlog

from nextstream.domain.accounts import Account, Role
from nextstream.domain.events import happen
from nextstream.errors import (
    AccountExists,
    BadCredentials,
    BadRequest,
    NotAuthenticated,
    RegistrationClosed,
    WeakPassword,
)
from nextstream.ports import Platform

log = structlog.get_logger()

OPERATOR = "operator"
PASSWORD_MIN = 8
PASSWORD_MAX = 1024
UNKNOWN = "unknown"  # the key of events about names that nobody has

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{2,63}")


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


def register(platform: Platform, name: str, password: str, request_id: str | None = None) -> Account:
    """Create an account for someone who asks for one, with the role of an uploader.

    Raises RegistrationClosed, and as `add`.
    """
    if platform.settings.registration != "open":
        raise RegistrationClosed
    return add(platform, name, password, Role.UPLOADER, request_id)


def add(
    platform: Platform, name: str, password: str, role: Role, request_id: str | None = None
) -> Account:
    """Create an account of any role; raises BadRequest, WeakPassword and AccountExists."""
    name = name.strip().lower()
    _check(name, password)
    now = platform.clock.now()
    # Hashing is slow on purpose, so no transaction is open meanwhile.
    account = Account(secrets.token_hex(11), name, platform.passwords.hash(password), role, now)
    with platform.database.transaction() as tx:
        tx.accounts.add(account)
        tx.outbox.add(happen("auth.registered", account.id, now, request_id, name=name, role=role))
    log.info("account registered", account_id=account.id, role=role)
    return account


def log_in(platform: Platform, name: str, password: str, request_id: str | None = None) -> Account:
    """Give the account of this name and password.

    Raises BadCredentials, with the same words and after the same time whichever of the two is wrong.
    """
    with platform.database.transaction() as tx:
        account = tx.accounts.find(name.strip())
    right = platform.passwords.verify(account.password_hash if account else None, password)
    type_ = "auth.logged_in" if right else "auth.login_failed"
    key = account.id if account else UNKNOWN
    with platform.database.transaction() as tx:
        tx.outbox.add(happen(type_, key, platform.clock.now(), request_id))
    if account is None or not right:
        log.warning("login failed", account_id=key)
        raise BadCredentials
    return account


def get(platform: Platform, account_id: str) -> Account:
    """Give an account by its id; raises NotAuthenticated where it is gone."""
    with platform.database.transaction() as tx:
        account = tx.accounts.get(account_id)
    if account is None:
        raise NotAuthenticated
    return account


def _check(name: str, password: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadRequest(
            "A name has 3 to 64 characters: a to z, digits and . _ @ + -, a letter or digit first."
        )
    if len(password) < PASSWORD_MIN:
        raise WeakPassword
    if len(password) > PASSWORD_MAX:
        raise WeakPassword(f"The password may have at most {PASSWORD_MAX} characters.")
