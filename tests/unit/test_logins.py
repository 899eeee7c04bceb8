"""Logging in, sessions and what guards them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.credentials import ArgonPasswords, PlainPasswords
from nextstream.adapters.limits_memory import MemoryLimits
from nextstream.domain import sessions
from nextstream.domain.accounts import Caller, Role, Scope
from nextstream.domain.audit import Deed, Origin
from nextstream.domain.sessions import GRACE_S
from nextstream.errors import (
    BadCredentials,
    DatabaseUnavailable,
    InsufficientScope,
    InvalidToken,
    SessionNotFound,
    TooManyRequests,
    WeakPassword,
    WrongPassword,
)
from nextstream.ports import Platform
from nextstream.services import accounts, guesses, logins
from nextstream.services.logins import Login

PASSWORD = "correct horse battery"
HERE = Origin("192.0.2.7", "curl/8", "r1")


class Seconds:
    """Tells seconds that are moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def platform(clock: HandClock, seconds: Seconds) -> Platform:
    made = wiring.in_memory(clock=clock, limits=MemoryLimits(seconds))
    accounts.register(made, "ada", PASSWORD)
    return made


def deeds(platform: Platform, action: str | None = None) -> list[Deed]:
    with platform.database.transaction() as tx:
        return [entry.deed for entry in reversed(tx.audit.page(None, 999, None, action))]


def caller(platform: Platform, login: Login) -> Caller:
    return logins.caller(platform, login.session.id, frozenset(Scope))


# Logging in.


def test_a_failed_login_says_the_same_for_every_reason_and_is_noted(platform: Platform) -> None:
    ada = logins.log_in(platform, "ada", PASSWORD).account
    accounts.add(platform, "out", PASSWORD, Role.VIEWER)
    accounts.amend(platform, "out", disabled=True)
    messages = set()
    for name, password in [("ada", "wrong"), ("nobody", "wrong"), ("out", PASSWORD), ("no name!", "x")]:
        with pytest.raises(BadCredentials) as caught:
            logins.log_in(platform, name, password, HERE)
        messages.add(str(caught.value))
    assert len(messages) == 1
    failed = deeds(platform, "auth.login_failed")
    assert [deed.actor_id for deed in failed][:2] == [ada.id, None]
    assert {(deed.address, deed.request_id, deed.result) for deed in failed} == {
        ("192.0.2.7", "r1", "refused")
    }


@pytest.mark.parametrize("name", ["nobody", "no name at all!", "x" * 500])
def test_a_failed_login_takes_the_same_time_for_every_reason(name: str) -> None:
    platform = wiring.in_memory(passwords=ArgonPasswords())
    platform = replace(platform, settings=replace(platform.settings, login_tries=100))
    accounts.register(platform, "ada", PASSWORD)

    def took(name: str) -> float:
        began = perf_counter()
        with pytest.raises(BadCredentials):
            logins.log_in(platform, name, "wrong password")
        return perf_counter() - began

    pairs = [(took("ada"), took(name)) for _ in range(5)]  # in turns: the machine's load changes
    assert median(known / unknown for known, unknown in pairs) == pytest.approx(1, abs=0.5)


# Canonical ordering (Unicode, 3.11) is done by insertion: twice the marks take four times as long.
HOSTILE = "a" + "\u0315" * 20000 + "\u0316" * 20000


def test_a_password_that_no_account_can_have_costs_nothing(platform: Platform) -> None:
    ada = caller(platform, logins.log_in(platform, "ada", PASSWORD))
    began = perf_counter()
    for name in ("ada", "nobody"):
        with pytest.raises(BadCredentials):
            logins.log_in(platform, name, HOSTILE)
    with pytest.raises(WrongPassword):
        accounts.change_password(platform, ada, HOSTILE, "a new password")
    with pytest.raises(WeakPassword):
        accounts.register(platform, "bob", HOSTILE)
    assert perf_counter() - began < 1


def test_a_hash_of_weaker_times_is_made_anew_at_the_next_login() -> None:
    platform = wiring.in_memory(passwords=ArgonPasswords())
    ada = accounts.register(platform, "ada", PASSWORD)
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with platform.database.transaction() as tx:
        tx.accounts.save(replace(ada, password_hash=weak))
    renewed = logins.log_in(platform, "ada", PASSWORD).account
    assert "m=47104" in renewed.password_hash
    assert logins.log_in(platform, "ada", PASSWORD).account == renewed


def test_a_login_may_ask_for_fewer_scopes_and_never_for_more(platform: Platform) -> None:
    wanted = frozenset({Scope.VIDEOS_READ, Scope.ADMIN})
    login = logins.log_in(platform, "ada", PASSWORD, scopes=wanted)
    assert caller(platform, login).scopes == {Scope.VIDEOS_READ}
    with pytest.raises(InsufficientScope):
        logins.list_sessions(platform, caller(platform, login))


OLDER = "older$"  # a hash that is to be renewed begins with it


class Meanwhile(PlainPasswords):
    """Checks passwords, which takes long: so long that something else is done before it ends."""

    act: Callable[[], object] | None = None

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Check a password, and let it happen."""
        right = super().verify((password_hash or "").removeprefix(OLDER), password)
        act, self.act = self.act, None
        if act:
            act()
        return right


@pytest.fixture
def meanwhile(platform: Platform) -> tuple[Platform, Meanwhile]:
    passwords = Meanwhile()
    return replace(platform, passwords=passwords), passwords


def test_a_password_that_is_changed_while_it_is_checked_lets_nobody_in(
    meanwhile: tuple[Platform, Meanwhile],
) -> None:
    platform, passwords = meanwhile
    passwords.act = lambda: accounts.reset_password(platform, "ada", "another password")
    with pytest.raises(BadCredentials):
        logins.log_in(platform, "ada", PASSWORD)
    assert len(deeds(platform, "auth.login_failed")) == 1


def test_a_login_undoes_nothing_that_was_done_to_its_account_meanwhile(
    meanwhile: tuple[Platform, Meanwhile],
) -> None:
    platform, passwords = meanwhile
    with platform.database.transaction() as tx:
        ada = tx.accounts.find("ada")
        assert ada
        tx.accounts.save(replace(ada, password_hash=f"{OLDER}{passwords.hash(PASSWORD)}"))
    passwords.act = lambda: accounts.amend(platform, "ada", Role.VIEWER)
    login = logins.log_in(platform, "ada", PASSWORD)
    assert (login.account.role, login.account.password_hash[:6]) == (Role.VIEWER, "plain$")
    assert caller(platform, login).scopes == {Scope.VIDEOS_READ, Scope.ACCOUNT}
    passwords.act = lambda: accounts.amend(platform, "ada", disabled=True)
    with pytest.raises(BadCredentials):
        logins.log_in(platform, "ada", PASSWORD)


def test_a_hash_that_another_login_renews_meanwhile_is_checked_again(
    meanwhile: tuple[Platform, Meanwhile],
) -> None:
    platform, passwords = meanwhile
    passwords.act = lambda: accounts.reset_password(platform, "ada", PASSWORD)
    assert logins.log_in(platform, "ada", PASSWORD)


# Guessing.


def fail(platform: Platform, name: str = "ada", origin: Origin = HERE) -> float:
    """Fail to log in, and give the seconds to wait first, where it is one guess too many."""
    try:
        logins.log_in(platform, name, "wrong", origin)
    except TooManyRequests as error:
        return error.retry_after_s
    except BadCredentials:
        return 0.0
    raise AssertionError


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_each_failure_doubles_the_wait_whether_the_name_is_known_or_not(
    platform: Platform, seconds: Seconds, name: str
) -> None:
    waits = []
    for _ in range(platform.settings.login_tries + 11):
        assert fail(platform, name) == 0
        if wait_s := fail(platform, name):
            waits.append(wait_s)
            seconds.now += wait_s
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == platform.settings.login_wait_max_s


def test_while_a_name_waits_the_right_password_waits_too(platform: Platform, seconds: Seconds) -> None:
    login = logins.log_in(platform, "ada", PASSWORD)
    while not (wait_s := fail(platform)):
        pass
    with pytest.raises(TooManyRequests):
        logins.log_in(platform, "ada", PASSWORD)
    assert logins.refresh(platform, login.refresh_token)  # who is in stays in
    seconds.now += wait_s
    assert logins.log_in(platform, "ada", PASSWORD)
    assert fail(platform) == 0  # and all is forgotten
    locked = deeds(platform, "auth.locked_out")
    assert [(deed.actor_id, deed.data["wait_s"]) for deed in locked] == [(login.account.id, 1.0)]


def test_right_logins_from_an_address_that_failed_often_bring_no_wait(
    platform: Platform, seconds: Seconds
) -> None:
    """One that many share has failed so often in a day; those who know their passwords wait for none."""
    for number in range(platform.settings.login_address_tries + 3):
        assert fail(platform, f"name{number}") == 0
        seconds.now += 1000
    for _ in range(3):
        assert logins.log_in(platform, "ada", PASSWORD, HERE)
    assert fail(platform, "another") == 0
    assert fail(platform, "another") > 0  # and who fails waits as before


def test_a_name_is_not_kept_waiting_from_an_address_that_waits(
    platform: Platform, seconds: Seconds
) -> None:
    for _ in range(platform.settings.login_tries):
        assert fail(platform, "ada", Origin("192.0.2.8")) == 0
    seconds.now += 1
    for number in range(platform.settings.login_address_tries):
        assert fail(platform, f"name{number}") == 0
    assert fail(platform, "ada") > 0  # by the address, and so no guess
    assert logins.log_in(platform, "ada", PASSWORD, Origin("192.0.2.9"))


def test_one_address_can_not_try_one_password_on_all_names(platform: Platform) -> None:
    tries = platform.settings.login_address_tries
    assert [fail(platform, f"name{n}") for n in range(tries)] == [0.0] * tries
    assert fail(platform, "ada") > 0
    assert fail(platform, "ada", Origin("192.0.2.8")) == 0


def test_a_right_login_does_not_wash_the_failures_of_its_address_away(platform: Platform) -> None:
    for n in range(platform.settings.login_address_tries):
        assert fail(platform, f"name{n}") == 0
        if n % 3 == 0 and n < 40:
            logins.log_in(platform, "ada", PASSWORD, HERE)
    assert fail(platform) > 0


def test_a_database_that_is_away_locks_nobody_out(platform: Platform) -> None:
    platform.database.away = True  # type: ignore[attr-defined]  # the twin's switch
    for _ in range(20):
        with pytest.raises(DatabaseUnavailable):
            logins.log_in(platform, "ada", PASSWORD, HERE)
    platform.database.away = False  # type: ignore[attr-defined]  # as above
    assert logins.log_in(platform, "ada", PASSWORD, HERE)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (None, "unknown"),
        ("junk", "unknown"),
    ],
)
def test_an_address_is_counted_as_what_one_sender_has(address: str | None, network: str) -> None:
    assert guesses.network(address) == network


# Refresh tokens.


def test_a_refresh_token_is_used_once_and_names_its_successor(
    platform: Platform, clock: HandClock
) -> None:
    first = logins.log_in(platform, "ada", PASSWORD)
    second = logins.refresh(platform, first.refresh_token)
    clock.advance(GRACE_S + 1)
    third = logins.refresh(platform, second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert {login.session.id for login in (first, second, third)} == {first.session.id}
    assert len(deeds(platform, "auth.refresh_rotated")) == 2


def test_two_tabs_get_one_successor_within_the_grace(platform: Platform, clock: HandClock) -> None:
    first = logins.log_in(platform, "ada", PASSWORD)
    second = logins.refresh(platform, first.refresh_token)
    clock.advance(GRACE_S - 1)
    assert logins.refresh(platform, first.refresh_token).refresh_token == second.refresh_token
    assert logins.refresh(platform, second.refresh_token)


@pytest.mark.parametrize("behind", [1, 2, 3])
def test_a_token_used_again_ends_the_session_with_its_newest_token(
    platform: Platform, clock: HandClock, behind: int
) -> None:
    login = logins.log_in(platform, "ada", PASSWORD)
    tokens = [login.refresh_token]
    for _ in range(3):
        tokens.append(logins.refresh(platform, tokens[-1]).refresh_token)
    if behind == 1:
        clock.advance(GRACE_S + 1)
    with pytest.raises(InvalidToken):
        logins.refresh(platform, tokens[-1 - behind], HERE)
    for token in tokens:
        with pytest.raises(InvalidToken):
            logins.refresh(platform, token)
    with pytest.raises(InvalidToken):
        caller(platform, login)
    [reused] = deeds(platform, "auth.refresh_reused")
    assert (reused.result, reused.address) == ("refused", "192.0.2.7")
    assert reused.subject_id == login.session.id


@given(uses=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 15)), max_size=12))
def test_whatever_order_tokens_are_used_in_only_the_rules_decide(uses: list[tuple[int, int]]) -> None:
    """Compare with a model: which token is good, which was the last, and when it was used."""
    clock = HandClock()
    session, token = sessions.begin("a", frozenset(Scope), clock.now(), 1e6, HERE)
    issued, used_at, alive = [token], clock.now(), True
    for back, wait_s in uses:
        clock.advance(wait_s)
        index = max(len(issued) - 1 - back, 0)
        _, secret = sessions.parse(issued[index]) or ("", "")
        turn, session, given_token = sessions.turn(session, secret, clock.now(), 1e5)
        newest = index == len(issued) - 1
        graced = index == len(issued) - 2 and (clock.now() - used_at).total_seconds() <= GRACE_S
        if alive and newest:
            assert turn == "rotated"
            issued.append(str(given_token))
            used_at = clock.now()
        elif alive and graced:
            assert (turn, given_token) == ("repeated", issued[-1])
        else:
            assert (turn, given_token) == ("reused" if alive else "over", None)
            alive = False


@pytest.mark.parametrize(
    "token", ["", "nsr_", "nsr_x_y", "a.b.c", f"nsr_{'0' * 32}_{'0' * 64}", "nsr_\x00"]
)
def test_what_is_no_refresh_token_is_refused(platform: Platform, token: str) -> None:
    with pytest.raises(InvalidToken):
        logins.refresh(platform, token)


def test_a_session_ends_when_it_is_not_used_or_old(platform: Platform, clock: HandClock) -> None:
    idle = logins.log_in(platform, "ada", PASSWORD)
    clock.advance(platform.settings.refresh_token_s)
    with pytest.raises(InvalidToken):
        logins.refresh(platform, idle.refresh_token)
    token = logins.log_in(platform, "ada", PASSWORD).refresh_token
    for _ in range(29):
        clock.advance(86400)
        token = logins.refresh(platform, token).refresh_token
    clock.advance(86400)
    with pytest.raises(InvalidToken):
        logins.refresh(platform, token)


def test_a_session_that_is_over_takes_its_access_tokens_with_it(
    platform: Platform, clock: HandClock
) -> None:
    """One that was got a moment before has a life of its own that goes beyond the session's."""
    login = logins.log_in(platform, "ada", PASSWORD)
    for _ in range(platform.settings.session_s // 86400):
        clock.advance(86400 - 1)
        login = logins.refresh(platform, login.refresh_token)
    assert caller(platform, login)
    clock.advance(platform.settings.session_s // 86400)
    with pytest.raises(InvalidToken):
        caller(platform, login)


def test_a_session_that_expired_leaves_the_table(platform: Platform, clock: HandClock) -> None:
    old = logins.log_in(platform, "ada", PASSWORD)
    clock.advance(platform.settings.session_s + 1)
    new = logins.log_in(platform, "ada", PASSWORD)
    assert logins.prune(platform) == 1
    with platform.database.transaction() as tx:
        assert tx.sessions.get(old.session.id) is None
        assert tx.sessions.get(new.session.id)


def test_the_database_alone_makes_no_token(platform: Platform) -> None:
    first = logins.log_in(platform, "ada", PASSWORD)
    second = logins.refresh(platform, first.refresh_token)
    with platform.database.transaction() as tx:
        kept = str(tx.sessions.get(first.session.id))
    for token in (first.refresh_token, second.refresh_token):
        assert token.rpartition("_")[2] not in kept


# Sessions.


@pytest.fixture
def devices(platform: Platform) -> list[Login]:
    return [
        logins.log_in(platform, "ada", PASSWORD, replace(HERE, user_agent=n)) for n in ("tv", "phone")
    ]


def test_sessions_are_listed_and_one_of_them_ended(platform: Platform, devices: list[Login]) -> None:
    tv, phone = devices
    found = logins.list_sessions(platform, caller(platform, phone))
    assert {(s.user_agent, s.address) for s in found} == {("tv", "192.0.2.7"), ("phone", "192.0.2.7")}
    logins.end_session(platform, caller(platform, phone), tv.session.id)
    for dead in (lambda: caller(platform, tv), lambda: logins.refresh(platform, tv.refresh_token)):
        with pytest.raises(InvalidToken):
            dead()
    with pytest.raises(SessionNotFound):
        logins.end_session(platform, caller(platform, phone), tv.session.id)
    assert caller(platform, phone)


def test_anothers_session_is_not_there(platform: Platform, devices: list[Login]) -> None:
    accounts.register(platform, "eve", PASSWORD)
    eve = caller(platform, logins.log_in(platform, "eve", PASSWORD))
    with pytest.raises(SessionNotFound):
        logins.end_session(platform, eve, devices[0].session.id)
    assert len(logins.list_sessions(platform, eve)) == 1


def test_logging_out_everywhere_ends_this_session_too(platform: Platform, devices: list[Login]) -> None:
    assert logins.end_all(platform, caller(platform, devices[0])) == 2
    for login in devices:
        with pytest.raises(InvalidToken):
            caller(platform, login)


@pytest.mark.parametrize("rotations", [0, 1])
def test_a_session_is_ended_by_its_refresh_token_alone(platform: Platform, rotations: int) -> None:
    login = logins.log_in(platform, "ada", PASSWORD)
    for _ in range(rotations):
        logins.refresh(platform, login.refresh_token)
    forged = login.refresh_token[:-4] + "0000"
    logins.log_out_by_refresh(platform, forged)
    assert caller(platform, login)
    for _ in range(2):
        logins.log_out_by_refresh(platform, login.refresh_token)
    with pytest.raises(InvalidToken):
        caller(platform, login)
    assert len(deeds(platform, "auth.logged_out")) == 1


def test_events_and_the_audit_log_tell_the_same_without_secrets(platform: Platform) -> None:
    login = logins.log_in(platform, "ada", PASSWORD, HERE)
    fail(platform)
    logins.refresh(platform, login.refresh_token)
    logins.log_out(platform, login.session.id)
    with platform.database.transaction() as tx:
        events = [entry.event for entry in tx.outbox.page(0, 99)]
    assert [event.type for event in events] == [deed.action for deed in deeds(platform)]
    assert {event.key for event in events} == {login.account.id}
    told = str([event.body() for event in events]) + str(deeds(platform))
    for secret in (PASSWORD, login.refresh_token.rpartition("_")[2], login.account.password_hash):
        assert secret not in told
    assert "192.0.2.7" not in str([event.body() for event in events])  # the audit log's alone
