"""What every database does with sessions, API keys and the audit log; and races of refreshes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from nextstream import wiring
from nextstream.adapters.database import SqlDatabase
from nextstream.domain import api_keys, sessions
from nextstream.domain.accounts import Role, Scope
from nextstream.domain.audit import Deed, Origin
from nextstream.errors import Conflict, InvalidToken
from nextstream.ports import Database, Platform
from nextstream.services import accounts, logins
from tests.contract.rows import ACCOUNT, LATER, NOW

SCOPES = frozenset({Scope.VIDEOS_READ, Scope.UPLOADS_WRITE})
SESSION, _ = sessions.begin("a1", SCOPES, NOW, 60, Origin("192.0.2.1", "Firefox ü", "r"))
KEY, _ = api_keys.make("a1", "CI für uns", SCOPES, NOW, LATER)
DEED = Deed(NOW, "auth.logged_in", "ok", "a1", "s1", "192.0.2.1", "r1", {"n": 1, "ü": None})


@pytest.fixture
def known(database: Database) -> Database:
    with database.transaction() as tx:
        tx.accounts.add(ACCOUNT)
    return database


def test_accounts_are_given_by_name_from_one_on(database: Database) -> None:
    named = [replace(ACCOUNT, id=f"a{name}", name=name) for name in ("eve", "ada", "bob")]
    with database.transaction() as tx:
        for account in named:
            tx.accounts.add(account)
        assert [account.name for account in tx.accounts.page(None, 2)] == ["ada", "bob"]
        assert [account.name for account in tx.accounts.page("bob", 9)] == ["eve"]


def test_two_changes_of_one_account_at_once_are_both_kept(known: Database) -> None:
    """One waits for the other to end; where both read first, the later one would undo the earlier."""
    began = threading.Event()

    def disable() -> None:
        with known.transaction() as tx:
            found = tx.accounts.lock("a1")
            assert found
            began.set()
            time.sleep(0.1)
            tx.accounts.save(replace(found, disabled_at=LATER))

    with ThreadPoolExecutor() as pool:
        disabling = pool.submit(disable)
        assert began.wait(10)
        with known.transaction() as tx:
            found = tx.accounts.lock("a1")
            assert found
            tx.accounts.save(replace(found, password_hash="another"))
        disabling.result()
    with known.transaction() as tx:
        assert tx.accounts.get("a1") == replace(ACCOUNT, disabled_at=LATER, password_hash="another")
        assert tx.accounts.lock("none") is None


def test_when_an_account_was_disabled_is_kept(known: Database) -> None:
    with known.transaction() as tx:
        tx.accounts.save(replace(ACCOUNT, disabled_at=LATER))
    with known.transaction() as tx:
        assert tx.accounts.get("a1") == replace(ACCOUNT, disabled_at=LATER)


def test_a_session_comes_back_as_it_was_and_as_it_was_changed(known: Database) -> None:
    ended = replace(sessions.end(SESSION, LATER, "logout"), previous_hash="p", nonce="n")
    with known.transaction() as tx:
        tx.sessions.add(SESSION)
        assert tx.sessions.get(SESSION.id) == tx.sessions.lock(SESSION.id) == SESSION
        tx.sessions.save(ended)
    with known.transaction() as tx:
        assert tx.sessions.get(SESSION.id) == ended
        assert tx.sessions.get("none") is tx.sessions.lock("none") is None
    with pytest.raises(Conflict), known.transaction() as tx:
        tx.sessions.add(SESSION)


def test_sessions_that_go_on_are_listed_the_last_used_first(known: Database) -> None:
    made = [
        replace(SESSION, id="old"),
        replace(SESSION, id="new", used_at=LATER),
        replace(SESSION, id="ended", ended_at=LATER, ended_by="logout"),
        replace(SESSION, id="others", account_id="a2"),
    ]
    with known.transaction() as tx:
        tx.accounts.add(replace(ACCOUNT, id="a2", name="ann"))
        for session in made:
            tx.sessions.add(session)
        assert [session.id for session in tx.sessions.list("a1")] == ["new", "old"]


def test_sessions_that_expired_long_ago_are_removed(known: Database) -> None:
    made = [
        replace(SESSION, id="running", expires_at=LATER),
        replace(SESSION, id="expired", expires_at=NOW),
        replace(SESSION, id="ended", expires_at=NOW, ended_at=NOW, ended_by="logout"),
    ]
    with known.transaction() as tx:
        for session in made:
            tx.sessions.add(session)
        assert tx.sessions.prune(NOW) == 0
        assert tx.sessions.prune(LATER) == 2
        assert [tx.sessions.get(session.id) for session in made] == [made[0], None, None]


def test_an_api_key_comes_back_as_it_was(known: Database) -> None:
    newer = replace(KEY, id="newer", created_at=LATER, expires_at=None)
    with known.transaction() as tx:
        tx.api_keys.add(KEY)
        tx.api_keys.add(newer)
        assert tx.api_keys.get(KEY.id) == KEY
        assert tx.api_keys.get("none") is None
        assert tx.api_keys.list("a1") == [newer, KEY]
        assert tx.api_keys.list("a2") == []
    with pytest.raises(Conflict), known.transaction() as tx:
        tx.api_keys.add(KEY)


def test_a_use_is_noted_by_one_of_those_who_saw_the_last(known: Database) -> None:
    with known.transaction() as tx:
        tx.api_keys.add(KEY)
        assert tx.api_keys.note_use(KEY, NOW)
        assert not tx.api_keys.note_use(KEY, NOW)
        seen = tx.api_keys.get(KEY.id)
        assert seen == replace(KEY, used_at=NOW)
        assert tx.api_keys.note_use(seen, LATER)
        assert not tx.api_keys.note_use(replace(KEY, id="none"), NOW)


def test_a_revoked_key_stays_so_and_is_listed_no_more(known: Database) -> None:
    with known.transaction() as tx:
        tx.api_keys.add(KEY)
        tx.api_keys.revoke(KEY.id, NOW)
        tx.api_keys.revoke(KEY.id, LATER)
        tx.api_keys.revoke("none", LATER)
        assert tx.api_keys.list("a1") == []
        assert tx.api_keys.get(KEY.id) == replace(KEY, revoked_at=NOW)


def test_the_audit_log_is_read_newest_first_by_actor_and_action(database: Database) -> None:
    deeds = [replace(DEED, actor_id=f"a{n % 2}", action=f"auth.{n}") for n in range(6)]
    with database.transaction() as tx:
        for deed in deeds:
            tx.audit.add(deed)
    with database.transaction() as tx:
        entries = tx.audit.page(None, 4)
        assert [entry.deed for entry in entries] == deeds[:1:-1]
        assert [entry.deed for entry in tx.audit.page(entries[-1].place, 9)] == deeds[1::-1]
        assert [entry.deed for entry in tx.audit.page(None, 9, "a1")] == deeds[5:0:-2]
        assert [entry.deed for entry in tx.audit.page(None, 9, None, "auth.3")] == [deeds[3]]


def test_old_lines_of_the_audit_log_are_removed_and_the_others_keep_their_places(
    database: Database,
) -> None:
    with database.transaction() as tx:
        for time in (NOW, NOW, LATER):
            tx.audit.add(replace(DEED, time=time))
        [*_, last] = tx.audit.page(None, 9)[::-1]
    with database.transaction() as tx:
        assert (tx.audit.prune(LATER), tx.audit.prune(LATER)) == (2, 0)
        assert tx.audit.page(None, 9) == [last]


# Many at once.

PASSWORD = "correct horse battery"


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Give a platform over a database of each kind, with its usual patience."""
    if request.param == "memory":
        yield wiring.in_memory()
        return
    database = SqlDatabase(request.getfixturevalue(f"{request.param}_database"))
    yield wiring.in_memory(database=database)
    database.close()


def test_of_fifty_refreshes_at_once_one_rotates_and_all_get_its_successor(platform: Platform) -> None:
    accounts.add(platform, "ada", PASSWORD, Role.UPLOADER)
    token = logins.log_in(platform, "ada", PASSWORD).refresh_token
    with ThreadPoolExecutor(16) as pool:
        got = {
            each.refresh_token for each in pool.map(lambda _: logins.refresh(platform, token), range(50))
        }
    assert len(got) == 1
    with platform.database.transaction() as tx:
        assert len(tx.audit.page(None, 99, None, "auth.refresh_rotated")) == 1
    assert logins.refresh(platform, got.pop())


def test_a_reuse_among_good_refreshes_leaves_no_token_alive(platform: Platform) -> None:
    accounts.add(platform, "ada", PASSWORD, Role.UPLOADER)
    tokens = [logins.log_in(platform, "ada", PASSWORD).refresh_token]
    for _ in range(3):
        tokens.append(logins.refresh(platform, tokens[-1]).refresh_token)

    def use(token: str) -> str | None:
        with suppress(InvalidToken):
            return logins.refresh(platform, token).refresh_token
        return None

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(use, [tokens[-1], tokens[0]] * 10))
    assert [use(token) for token in {*tokens, *filter(None, got)}] == [None] * len(
        {*tokens, *filter(None, got)}
    )
