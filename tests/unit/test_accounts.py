from __future__ import annotations

from dataclasses import replace

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.domain.accounts import Caller, Role, Scope
from nextstream.domain.audit import Origin
from nextstream.domain.events import Event
from nextstream.errors import (
    AccountExists,
    AccountNotFound,
    BadCredentials,
    BadRequest,
    InvalidToken,
    NotAllowed,
    RegistrationClosed,
    TooManyRequests,
    WeakPassword,
    WrongPassword,
)
from nextstream.ports import Platform
from nextstream.services import accounts, audit, logins

PASSWORD = "correct horse battery"


@pytest.fixture
def platform() -> Platform:
    return wiring.in_memory()


def events(platform: Platform) -> list[Event]:
    with platform.database.transaction() as tx:
        return [entry.event for entry in tx.outbox.page(0, 100)]


def test_the_first_account_is_an_operator_whose_password_is_told_once(platform: Platform) -> None:
    password = accounts.ensure_operator(platform)
    assert password is not None
    assert len(password) >= 20
    assert logins.log_in(platform, accounts.OPERATOR, password).account.role is Role.OPERATOR
    assert accounts.ensure_operator(platform) is None


def test_no_operator_is_made_beside_other_accounts(platform: Platform) -> None:
    accounts.register(platform, "ada", PASSWORD)
    assert accounts.ensure_operator(platform) is None
    with pytest.raises(BadCredentials):
        logins.log_in(platform, accounts.OPERATOR, PASSWORD)


def test_a_registered_account_is_an_uploader_with_a_name_in_lower_case(platform: Platform) -> None:
    account = accounts.register(platform, " Ada.L@Example.org ", PASSWORD, Origin(request_id="r1"))
    assert (account.name, account.role) == ("ada.l@example.org", Role.UPLOADER)
    assert logins.log_in(platform, " ADA.L@example.org", PASSWORD).account == account
    [registered, logged_in] = events(platform)
    assert (registered.type, registered.key, registered.request_id) == (
        "auth.registered",
        account.id,
        "r1",
    )
    assert (logged_in.type, logged_in.key) == ("auth.logged_in", account.id)
    assert PASSWORD not in str(events(platform))


def test_a_name_is_taken_once_in_any_case(platform: Platform) -> None:
    accounts.register(platform, "ada", PASSWORD)
    with pytest.raises(AccountExists):
        accounts.register(platform, "ADA", PASSWORD)
    assert len(events(platform)) == 1


@pytest.mark.parametrize("name", ["ab", "a" * 65, "", "a b c", "a/b/c", "<ada>", "-ada", "ädä", "ada\n"])
def test_a_name_is_short_and_plain(platform: Platform, name: str) -> None:
    if name == "ada\n":
        assert accounts.register(platform, name, PASSWORD).name == "ada"
        return
    with pytest.raises(BadRequest, match="3 to 64"):
        accounts.register(platform, name, PASSWORD)


@pytest.mark.parametrize("name", ["abc", "a" * 64])
@pytest.mark.parametrize("password", ["8 chars.", "x" * 1024, "pässwörd"])
def test_names_and_passwords_at_the_edge_are_good(platform: Platform, name: str, password: str) -> None:
    account = accounts.register(platform, name, password)
    assert logins.log_in(platform, name, password).account == account


@pytest.mark.parametrize(("password", "says"), [("7 chars", "at least 8"), ("x" * 1025, "at most 1024")])
def test_a_password_is_neither_short_nor_endless(platform: Platform, password: str, says: str) -> None:
    with pytest.raises(WeakPassword, match=says):
        accounts.register(platform, "ada", password)


@pytest.mark.parametrize("password", ["password", "12345678", "Password123", "the-name"])
def test_a_password_that_is_guessed_first_is_refused(platform: Platform, password: str) -> None:
    with pytest.raises(WeakPassword, match="guessed first"):
        accounts.register(platform, "the-name", password)


def caller(platform: Platform, name: str = "ada") -> Caller:
    login = logins.log_in(platform, name, PASSWORD)
    return logins.caller(platform, login.session.id, frozenset(Scope))


def test_a_password_is_changed_by_who_knows_it_and_ends_the_other_sessions(platform: Platform) -> None:
    accounts.register(platform, "ada", PASSWORD)
    elsewhere, here = caller(platform), caller(platform)
    with pytest.raises(WrongPassword):
        accounts.change_password(platform, here, "not this one", "a new password")
    with pytest.raises(WeakPassword):
        accounts.change_password(platform, here, PASSWORD, "short")
    assert accounts.change_password(platform, here, PASSWORD, "a new password") == 1
    assert [s.id for s in logins.list_sessions(platform, here)] == [here.session_id]
    with pytest.raises(InvalidToken):
        logins.caller(platform, str(elsewhere.session_id), frozenset(Scope))
    with pytest.raises(BadCredentials):
        logins.log_in(platform, "ada", PASSWORD)
    assert logins.log_in(platform, "ada", "a new password").account.id == here.id


def test_guessing_the_current_password_with_a_stolen_token_is_slowed_down(platform: Platform) -> None:
    accounts.register(platform, "ada", PASSWORD)
    thief = caller(platform)
    for _ in range(platform.settings.login_tries):
        with pytest.raises(WrongPassword):
            accounts.change_password(platform, thief, "a guess", "a new password")
    with pytest.raises(TooManyRequests):
        accounts.change_password(platform, thief, PASSWORD, "a new password")


def test_an_operator_changes_roles_and_what_is_lost_is_lost_at_once(platform: Platform) -> None:
    ada = accounts.register(platform, "ada", PASSWORD)
    accounts.add(platform, "boss", PASSWORD, Role.OPERATOR)
    boss, before = caller(platform, "boss"), caller(platform)
    assert Scope.UPLOADS_WRITE in before.scopes
    assert accounts.change(platform, boss, ada.id, Role.VIEWER).role is Role.VIEWER
    after = logins.caller(platform, str(before.session_id), frozenset(Scope))
    assert after.scopes == {Scope.ACCOUNT, Scope.VIDEOS_READ}
    changed = events(platform)[-1]
    assert (changed.type, changed.key) == ("auth.role_changed", ada.id)
    assert changed.data["by"] == boss.id
    assert (changed.data["before"], changed.data["after"]) == ("uploader", "viewer")


def test_a_disabled_account_is_out_until_it_is_enabled(platform: Platform) -> None:
    ada = accounts.register(platform, "ada", PASSWORD)
    accounts.add(platform, "boss", PASSWORD, Role.OPERATOR)
    boss, session = caller(platform, "boss"), caller(platform)
    accounts.change(platform, boss, ada.id, disabled=True)
    with pytest.raises(InvalidToken):
        logins.caller(platform, str(session.session_id), frozenset(Scope))
    with pytest.raises(BadCredentials):
        logins.log_in(platform, "ada", PASSWORD)
    accounts.change(platform, boss, ada.id, disabled=False)
    assert logins.log_in(platform, "ada", PASSWORD)
    with pytest.raises(InvalidToken):  # what was ended stays so
        logins.caller(platform, str(session.session_id), frozenset(Scope))


def test_the_last_operator_can_not_be_lost(platform: Platform) -> None:
    accounts.add(platform, "boss", PASSWORD, Role.OPERATOR)
    boss = caller(platform, "boss")
    with pytest.raises(NotAllowed, match="another operator"):
        accounts.change(platform, boss, boss.id, Role.VIEWER)
    with pytest.raises(AccountNotFound):
        accounts.change(platform, boss, "gone", Role.VIEWER)


def test_of_two_operators_who_demote_each_other_one_is_left(platform: Platform) -> None:
    both = [accounts.add(platform, name, PASSWORD, Role.OPERATOR) for name in ("boss", "chief")]
    boss, chief = caller(platform, "boss"), caller(platform, "chief")  # each asked, and was let in
    accounts.change(platform, boss, chief.id, Role.VIEWER)
    with pytest.raises(NotAllowed):
        accounts.change(platform, chief, boss.id, Role.VIEWER)
    assert [accounts.get(platform, boss, each.id).role for each in both] == ["operator", "viewer"]


def test_a_password_that_is_reset_is_not_changed_by_who_knew_the_old_one(platform: Platform) -> None:
    accounts.register(platform, "ada", PASSWORD)
    thief = caller(platform)  # who asked in the moment before
    accounts.reset_password(platform, "ada", "a new password")
    with pytest.raises(WrongPassword):
        accounts.change_password(platform, thief, PASSWORD, "the thief's password")
    assert logins.log_in(platform, "ada", "a new password")


def test_accounts_are_listed_by_name_to_their_end(platform: Platform) -> None:
    accounts.add(platform, "boss", PASSWORD, Role.OPERATOR)
    for name in ("eve", "ada", "carl", "dora"):
        accounts.register(platform, name, PASSWORD)
    boss, found, after = caller(platform, "boss"), [], None
    for _ in range(3):
        page, after = accounts.page(platform, boss, after, 2)
        found += [account.name for account in page]
    assert (found, after) == (["ada", "boss", "carl", "dora", "eve"], None)
    assert [account.name for account in accounts.everyone(platform)] == found


def test_old_lines_of_the_audit_log_are_forgotten_unless_all_are_kept() -> None:
    clock = HandClock()
    platform = wiring.in_memory(clock=clock)
    accounts.register(platform, "ada", PASSWORD)
    clock.advance(platform.settings.audit_kept_s + 1)
    accounts.register(platform, "bob", PASSWORD)
    forever = replace(platform, settings=replace(platform.settings, audit_kept_s=0))
    assert (audit.prune(forever), audit.prune(platform), audit.prune(platform)) == (0, 1, 0)


def test_closed_registration_leaves_adding_accounts_to_operators(platform: Platform) -> None:
    closed = replace(platform, settings=replace(platform.settings, registration="closed"))
    with pytest.raises(RegistrationClosed):
        accounts.register(closed, "ada", PASSWORD)
    assert accounts.add(closed, "ada", PASSWORD, Role.VIEWER).role is Role.VIEWER
