"""Errors of logins and accounts."""

from __future__ import annotations

from nextstream.errors.base import NextStreamError
from nextstream.errors.requests import NotFound


class NotAuthenticated(NextStreamError):
    """Log in first, or send a valid access token."""

    code, status = "not_authenticated", 401


class InvalidToken(NotAuthenticated):
    """The token has expired or isn't valid; log in again."""

    code = "invalid_token"


class BadCredentials(NextStreamError):
    """The name or the password is wrong."""

    code, status = "bad_credentials", 401


class WrongPassword(BadCredentials):
    """The current password is wrong."""

    code, status = "wrong_password", 403  # the token is good, so this is no 401


class AccountExists(NextStreamError):
    """This name is taken; choose another."""

    code, status = "account_exists", 409


class AccountNotFound(NotFound):
    """There is no such account."""

    code = "account_not_found"


class SessionNotFound(NotFound):
    """There is no such session, or it isn't yours."""

    code = "session_not_found"


class KeyNotFound(NotFound):
    """There is no such API key, or it isn't yours."""

    code = "key_not_found"


class TooManyKeys(NextStreamError):
    """The account has as many API keys as it may have; revoke one first."""

    code, status = "too_many_keys", 409


class WeakPassword(NextStreamError):
    """The password must have at least 8 characters."""

    code, status = "weak_password", 422


class RegistrationClosed(NextStreamError):
    """Registration is closed here; ask the operator for an account."""

    code, status = "registration_closed", 403
