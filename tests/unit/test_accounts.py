from __future__ import annotations

from dataclasses import replace
from statistics import median
from time import perf_counter

import pytest

from nextstream import wiring
from nextstream.adapters.credentials import ArgonPasswords
from nextstream.domain.accounts import Role
from nextstream.domain.events import Event
from nextstream.errors import (
    AccountExists,
    BadCredentials,
    BadRequest,
    NotAuthenticated,
    RegistrationClosed,
    WeakPassword,
)
from nextstream.ports import Platform
from nextstream.services import accounts

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
    assert accounts.log_in(platform, accounts.OPERATOR, password).role is Role.OPERATOR
    assert accounts.ensure_operator(platform) is None


def test_no_operator_is_made_beside_other_accounts(platform: Platform) -> None:
    accounts.register(platform, "ada", PASSWORD)
    assert accounts.ensure_operator(platform) is None
    with pytest.raises(BadCredentials):
        accounts.log_in(platform, accounts.OPERATOR, PASSWORD)


def test_a_registered_account_is_an_uploader_with_a_name_in_lower_case(platform: Platform) -> None:
    account = accounts.register(platform, " Ada.L@Example.org ", PASSWORD, "r1")
    assert (account.name, account.role) == ("ada.l@example.org", Role.UPLOADER)
    assert accounts.get(platform, account.id) == account
    assert accounts.log_in(platform, "ADA.L@example.org", PASSWORD) == account
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
    assert accounts.log_in(platform, name, password) == account


@pytest.mark.parametrize(("password", "says"), [("7 chars", "at least 8"), ("x" * 1025, "at most 1024")])
def test_a_password_is_neither_short_nor_endless(platform: Platform, password: str, says: str) -> None:
    with pytest.raises(WeakPassword, match=says):
        accounts.register(platform, "ada", password)


def test_a_failed_login_says_the_same_for_both_reasons_and_is_noted(platform: Platform) -> None:
    account = accounts.register(platform, "ada", PASSWORD)
    messages = set()
    for name in ("ada", "nobody"):
        with pytest.raises(BadCredentials) as caught:
            accounts.log_in(platform, name, "wrong password", "r2")
        messages.add(str(caught.value))
    assert len(messages) == 1
    failed = [event for event in events(platform) if event.type == "auth.login_failed"]
    assert [event.key for event in failed] == [account.id, accounts.UNKNOWN]
    assert {event.request_id for event in failed} == {"r2"}


def test_a_failed_login_takes_the_same_time_for_both_reasons() -> None:
    platform = wiring.in_memory(passwords=ArgonPasswords())
    accounts.register(platform, "ada", PASSWORD)

    def took(name: str) -> float:
        began = perf_counter()
        with pytest.raises(BadCredentials):
            accounts.log_in(platform, name, "wrong password")
        return perf_counter() - began

    pairs = [(took("ada"), took("nobody")) for _ in range(5)]  # in turns: the machine's load changes
    assert median(known / unknown for known, unknown in pairs) == pytest.approx(1, abs=0.5)


def test_closed_registration_leaves_adding_accounts_to_operators(platform: Platform) -> None:
    closed = replace(platform, settings=replace(platform.settings, registration="closed"))
    with pytest.raises(RegistrationClosed):
        accounts.register(closed, "ada", PASSWORD)
    assert accounts.add(closed, "ada", PASSWORD, Role.VIEWER).role is Role.VIEWER


def test_an_account_that_is_gone_has_to_log_in(platform: Platform) -> None:
    with pytest.raises(NotAuthenticated):
        accounts.get(platform, "gone")
