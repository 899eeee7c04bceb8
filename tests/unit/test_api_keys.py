"""API keys: making, using and revoking them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.database_memory import MemoryDatabase
from nextstream.domain.accounts import Caller, Role, Scope
from nextstream.errors import (
    BadRequest,
    InsufficientScope,
    InvalidToken,
    KeyNotFound,
    NotAllowed,
    TooManyKeys,
)
from nextstream.ports import Platform
from nextstream.services import accounts, api_keys, logins

PASSWORD = "correct horse battery"
READ = frozenset({Scope.VIDEOS_READ})


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def platform(clock: HandClock) -> Platform:
    return wiring.in_memory(clock=clock)


def logged_in(platform: Platform, name: str, role: Role = Role.UPLOADER) -> Caller:
    accounts.add(platform, name, PASSWORD, role)
    login = logins.log_in(platform, name, PASSWORD)
    return logins.caller(platform, login.session.id, frozenset(Scope))


@pytest.fixture
def ada(platform: Platform) -> Caller:
    return logged_in(platform, "ada")


def told(platform: Platform, type_: str) -> int:
    """Count an event, which stands in the outbox and the audit log alike."""
    with platform.database.transaction() as tx:
        events = [entry for entry in tx.outbox.page(0, 999) if entry.event.type == type_]
        assert len(events) == len(tx.audit.page(None, 999, None, type_))
    return len(events)


def test_a_key_is_its_account_within_its_scopes(platform: Platform, ada: Caller) -> None:
    key, text = api_keys.make(platform, ada, " CI ", READ)
    caller = api_keys.caller(platform, text)
    assert (caller.id, caller.key_id, caller.session_id) == (ada.id, key.id, None)
    assert caller.scopes == READ
    assert (key.name, text.startswith(f"ns_{key.id}_")) == ("CI", True)


def test_a_key_that_was_used_lately_waits_for_no_change(clock: HandClock) -> None:
    """As a token does: in SQLite, whatever may write takes its turn, and waits for the disk."""
    platform = wiring.in_memory(clock=clock, database=MemoryDatabase(patience_s=0.1))
    ada = logged_in(platform, "ada")
    _, text = api_keys.make(platform, ada, "CI", READ)
    assert api_keys.caller(platform, text).id == ada.id
    with platform.database.transaction():
        assert api_keys.caller(platform, text).id == ada.id
        with pytest.raises(InvalidToken):
            api_keys.caller(platform, f"{text[:-4]}AAAA")


def test_the_secret_is_nowhere_kept_or_told(platform: Platform, ada: Caller) -> None:
    key, text = api_keys.make(platform, ada, "CI", READ)
    api_keys.caller(platform, text)
    with platform.database.transaction() as tx:
        everything = str([tx.api_keys.get(key.id), tx.outbox.page(0, 99), tx.audit.page(None, 99)])
    assert text.split("_", 2)[2] not in everything


@pytest.mark.parametrize("change", ["secret", "id", "case", "cut", "longer", "other"])
def test_what_is_not_quite_the_key_is_refused(platform: Platform, ada: Caller, change: str) -> None:
    key, text = api_keys.make(platform, ada, "CI", READ)
    _, other = api_keys.make(platform, ada, "other", READ)
    forged = {
        "secret": f"ns_{key.id}_{'A' * 43}",
        "id": text.replace(key.id, "0" * 16),
        "case": text.swapcase(),
        "cut": text[:-1],
        "longer": f"{text}A",
        "other": f"ns_{key.id}_{other.split('_', 2)[2]}",
    }[change]
    with pytest.raises(InvalidToken):
        api_keys.caller(platform, forged)
    assert api_keys.caller(platform, text)


def test_a_revoked_key_ends_at_once_and_for_good(platform: Platform, ada: Caller) -> None:
    key, text = api_keys.make(platform, ada, "CI", READ)
    api_keys.revoke(platform, ada, key.id)
    with pytest.raises(InvalidToken):
        api_keys.caller(platform, text)
    assert api_keys.list_keys(platform, ada) == []
    with pytest.raises(KeyNotFound):
        api_keys.revoke(platform, ada, key.id)
    assert told(platform, "auth.key_revoked") == 1


def test_a_key_ends_when_it_expires(platform: Platform, ada: Caller, clock: HandClock) -> None:
    _, text = api_keys.make(platform, ada, "CI", READ, clock.now() + timedelta(days=1))
    clock.advance(86399)
    assert api_keys.caller(platform, text)
    clock.advance(1)
    with pytest.raises(InvalidToken):
        api_keys.caller(platform, text)


def test_a_key_outlives_logins_but_not_its_account(platform: Platform, ada: Caller) -> None:
    _, text = api_keys.make(platform, ada, "CI", READ)
    logins.end_all(platform, ada)
    assert api_keys.caller(platform, text)
    accounts.amend(platform, "ada", disabled=True)
    with pytest.raises(InvalidToken):
        api_keys.caller(platform, text)


def test_a_key_loses_what_its_account_loses(platform: Platform, ada: Caller) -> None:
    _, text = api_keys.make(platform, ada, "CI", READ | {Scope.UPLOADS_WRITE})
    accounts.amend(platform, "ada", Role.VIEWER)
    assert api_keys.caller(platform, text).scopes == READ


def test_a_use_is_noted_once_a_minute_and_told_once_a_day(
    platform: Platform, ada: Caller, clock: HandClock
) -> None:
    key, text = api_keys.make(platform, ada, "CI", READ)

    def used_after(wait_s: float) -> float:
        clock.advance(wait_s)
        api_keys.caller(platform, text)
        with platform.database.transaction() as tx:
            kept = tx.api_keys.get(key.id)
        assert kept
        assert kept.used_at
        return (clock.now() - kept.used_at).total_seconds()

    assert [used_after(wait_s) for wait_s in (1, 30, 29, 1, 59, 1)] == [0, 30, 59, 0, 59, 0]
    assert told(platform, "auth.key_used") == 1
    assert used_after(86400) == 0
    assert told(platform, "auth.key_used") == 2


@pytest.mark.parametrize(
    ("name", "scopes", "error"),
    [
        ("", READ, BadRequest),
        ("x" * 101, READ, BadRequest),
        ("CI", frozenset(), BadRequest),
        ("CI", READ | {Scope.ADMIN}, NotAllowed),
        ("CI", READ | {Scope.ACCOUNT}, NotAllowed),
    ],
)
def test_a_key_can_not_have_what_its_maker_has_not(
    platform: Platform, ada: Caller, name: str, scopes: frozenset[Scope], error: type[Exception]
) -> None:
    with pytest.raises(error):
        api_keys.make(platform, ada, name, scopes)
    assert told(platform, "auth.key_made") == 0


def test_a_key_that_would_be_expired_is_not_made(
    platform: Platform, ada: Caller, clock: HandClock
) -> None:
    with pytest.raises(BadRequest):
        api_keys.make(platform, ada, "CI", READ, clock.now())


def test_a_key_makes_no_keys_and_sees_none(platform: Platform, ada: Caller) -> None:
    key, text = api_keys.make(platform, ada, "CI", READ)
    caller = api_keys.caller(platform, text)
    for act in (
        lambda: api_keys.make(platform, caller, "more", READ),
        lambda: api_keys.list_keys(platform, caller),
        lambda: api_keys.revoke(platform, caller, key.id),
        lambda: accounts.change_password(platform, caller, PASSWORD, "a new password"),
        lambda: logins.end_all(platform, caller),
    ):
        with pytest.raises(InsufficientScope):
            act()


def test_anothers_key_is_not_there(platform: Platform, ada: Caller) -> None:
    key, text = api_keys.make(platform, ada, "CI", READ)
    with pytest.raises(KeyNotFound):
        api_keys.revoke(platform, logged_in(platform, "eve", Role.OPERATOR), key.id)
    assert api_keys.caller(platform, text)


def test_an_account_has_so_many_keys(platform: Platform, ada: Caller) -> None:
    made = [api_keys.make(platform, ada, str(n), READ)[0] for n in range(api_keys.KEYS_MAX)]
    with pytest.raises(TooManyKeys):
        api_keys.make(platform, ada, "one more", READ)
    api_keys.revoke(platform, ada, made[0].id)
    assert api_keys.make(platform, ada, "one more", READ)
