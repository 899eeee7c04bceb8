"""What every database does with requests under a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nextstream.errors import Conflict
from nextstream.ports import Database, KeyedRequest
from tests.contract.rows import LATER, NOW

REQUEST = KeyedRequest("owner", "hash", "print", "token", NOW, LATER)


@pytest.fixture
def database(database: Database) -> Database:
    with database.transaction() as tx:
        tx.keyed_requests.add(REQUEST)
    return database


def test_a_request_is_found_by_its_owner_and_key(database: Database) -> None:
    with database.transaction() as tx:
        tx.keyed_requests.add(replace(REQUEST, owner_id="other", fingerprint="its"))
        assert tx.keyed_requests.find("owner", "hash") == REQUEST
        assert tx.keyed_requests.find("owner", "none") is None


def test_a_key_is_there_once_for_each_owner(database: Database) -> None:
    with pytest.raises(Conflict), database.transaction() as tx:
        tx.keyed_requests.add(replace(REQUEST, token="next"))


def test_an_answer_is_stored_by_whose_turn_it_is_alone(database: Database) -> None:
    answered = replace(REQUEST, answer="sealed", lease_until=NOW)
    with database.transaction() as tx:
        assert not tx.keyed_requests.save(replace(answered, token="late"))
        assert tx.keyed_requests.find("owner", "hash") == REQUEST
        assert tx.keyed_requests.save(answered)
    with database.transaction() as tx:
        assert tx.keyed_requests.find("owner", "hash") == answered


def test_a_request_is_removed_by_whose_turn_it_is_alone(database: Database) -> None:
    with database.transaction() as tx:
        assert not tx.keyed_requests.remove(replace(REQUEST, token="late"))
        assert tx.keyed_requests.remove(REQUEST)
        assert not tx.keyed_requests.remove(REQUEST)


def test_old_requests_are_forgotten(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.keyed_requests.forget(NOW) == 0
        assert tx.keyed_requests.forget(LATER) == 1
        assert tx.keyed_requests.find("owner", "hash") is None
