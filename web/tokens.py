"""Access tokens by flask-jwt-extended, and API keys: how tokens are made, and whose they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from flask import Flask, current_app, g, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    decode_token,
    get_jwt,
    get_jwt_request_location,
    get_unverified_jwt_headers,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException, NoAuthorizationError
from jwt import PyJWK
from jwt.exceptions import DecodeError, PyJWTError

from nextstream.domain import api_keys as keys_domain
from nextstream.domain.accounts import Caller, Scope
from nextstream.domain.signing import ALGORITHM, LEEWAY_S, SigningKey
from nextstream.errors import InvalidToken, NotAllowed, NotAuthenticated
from nextstream.services import api_keys, logins
from nextstream.services.logins import Login
from nextstream.settings import Settings
from web import cookies, http, limits
from web.verified import Verified

ISSUER = "nextstream"
REQUIRED = ("exp", "iat", "jti", "sub", "type", "iss", "aud", "sid", "scope")


def install(app: Flask, settings: Settings) -> None:
    """Set flask-jwt-extended up."""
    app.config.update(_configuration(settings))
    app.extensions["verified_tokens"] = Verified()
    manager = JWTManager(app)
    manager.token_verification_loader(_is_whole)
    manager.encode_key_loader(lambda _: _load(http.platform().signing_keys.signer()))
    manager.decode_key_loader(_find_key)


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "JWT_ALGORITHM": ALGORITHM,
        "JWT_DECODE_ALGORITHMS": [ALGORITHM],  # never a second family beside it: RFC 8725 section 3.1
        # A token of another system is none of ours.
        "JWT_ENCODE_ISSUER": ISSUER,
        "JWT_DECODE_ISSUER": ISSUER,
        "JWT_ENCODE_AUDIENCE": ISSUER,
        "JWT_DECODE_AUDIENCE": ISSUER,
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(seconds=settings.access_token_s),
        "JWT_DECODE_LEEWAY": LEEWAY_S,
        "JWT_TOKEN_LOCATION": ["headers", "cookies"],  # never the query: addresses end up in logs
        **cookies.configuration(settings),
    }


def issue(login: Login) -> str:
    """Make an access token for a login; services check it by the public key its `kid` names."""
    token: str = create_access_token(
        login.account.id,
        additional_claims={"sid": login.session.id, "scope": " ".join(login.session.scopes)},
        additional_headers={"kid": http.platform().signing_keys.signer().kid},
    )
    return token


def account() -> Caller:
    """Give who sends the request: whose token or API key is in its header, or token in its cookie.

    It is looked up and counted once, however often it is asked for.

    Raises NotAuthenticated, InvalidToken, TooManyRequests, and NotAllowed for a cookie without the
    CSRF header.
    """
    if "caller" not in g:
        caller = caller_of_request()
        limits.take_from_caller("api", http.platform().settings.limit_api, caller)
        g.caller = caller
    found: Caller = g.caller
    return found


def uploader() -> Caller:
    """Give who begins an upload, and count it; raises as `account`."""
    caller = account()
    limits.take_from_caller("uploads", http.platform().settings.limit_uploads, caller)
    return caller


def caller_of_request() -> Caller:
    """Give who sends the request, as `account`, without counting it."""
    key = bearer()
    if key.startswith(keys_domain.PREFIX):
        return api_keys.caller(http.platform(), key, http.origin())
    if key:
        return _caller(verify(key))
    try:
        verify_jwt_in_request(locations="cookies")
    except NoAuthorizationError as error:
        raise NotAuthenticated(detail=str(error)) from error
    except CSRFError as error:
        raise NotAllowed(cookies.PROOF_NEEDED) from error
    except (JWTExtendedException, PyJWTError) as error:
        raise InvalidToken(detail=str(error)) from error
    return _caller(get_jwt())


def account_of_cookie() -> Caller:
    """Give whose access cookie the request carries, for pages that can't send the CSRF header.

    Their changes must be kept from other sites in another way. Raises as `account`.
    """
    cookie = request.cookies.get(cookies.names(http.platform().settings).access)
    if not cookie:
        raise NotAuthenticated
    return _caller(verify(cookie))


def verify(token: str) -> Mapping[str, Any]:
    """Give the claims of an access token, checked but for whether its session goes on.

    Needs an app context, and no database. Raises InvalidToken, and ServiceUnavailable without keys.
    """
    verified: Verified = current_app.extensions["verified_tokens"]
    known = verified.find(token, http.platform().signing_keys)
    if known:
        return known
    claims = _verify(token)
    verified.keep(token, get_unverified_jwt_headers(token)["kid"], claims)
    return claims


def _verify(token: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = decode_token(token)
    except (JWTExtendedException, PyJWTError) as error:
        raise InvalidToken(detail=str(error)) from error
    if not _is_whole({}, claims):
        raise InvalidToken
    return claims


def bearer() -> str:
    """Give what stands behind Bearer in the request's header, or nothing."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def came_by_cookie() -> bool:
    """Tell whether the token that `account` found was in a cookie."""
    return get_jwt_request_location() == "cookies"


def _caller(claims: Mapping[str, Any]) -> Caller:
    named = str(claims["scope"]).split()
    granted = frozenset(scope for scope in Scope if scope in named)
    caller = logins.caller(http.platform(), str(claims["sid"]), granted)
    if caller.id != claims["sub"]:
        raise InvalidToken
    return caller


def _is_whole(_: dict[str, Any], claims: dict[str, Any]) -> bool:
    """Refuse a token that would be good for ever, or can't be told from others."""
    return all(claims.get(name) for name in REQUIRED)


def _find_key(header: dict[str, Any], claims: dict[str, Any]) -> PyJWK:
    """Give the public key a token names; it is looked up among ours, whatever the header points to.

    The library takes any token for an access token that doesn't call itself a refresh token.
    """
    if claims.get("type") != "access":
        raise DecodeError("the token is no access token")
    kid = header.get("kid")
    found = http.platform().signing_keys.find(kid) if isinstance(kid, str) else None
    if found is None:
        raise DecodeError("the token's kid is none of ours")
    return _load(found)


def _load(key: SigningKey) -> PyJWK:
    return _parse(json.dumps(dict(key.jwk)))


@lru_cache(maxsize=32)
def _parse(jwk: str) -> PyJWK:
    return PyJWK(json.loads(jwk), algorithm=ALGORITHM)
