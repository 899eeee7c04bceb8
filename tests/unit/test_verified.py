from __future__ import annotations

import time

import pytest

from nextstream.adapters.clock import HandClock
from nextstream.adapters.signing_memory import MemorySigningKeys
from web import verified
from web.verified import Verified


@pytest.fixture
def keys() -> MemorySigningKeys:
    return MemorySigningKeys(900, HandClock())


def test_a_token_that_was_good_is_known(keys: MemorySigningKeys) -> None:
    known, claims = Verified(), {"sub": "ada", "exp": time.time() + 60}
    assert known.find("token", keys) is None
    known.keep("token", keys.signer().kid, claims)
    assert known.find("token", keys) == claims
    assert known.find("another", keys) is None


def test_a_token_past_its_end_is_known_no_more(keys: MemorySigningKeys) -> None:
    known = Verified()
    known.keep("token", keys.signer().kid, {"exp": time.time() - 1})
    assert known.find("token", keys) is None


def test_a_token_of_a_key_that_is_gone_is_known_no_more(keys: MemorySigningKeys) -> None:
    known = Verified()
    known.keep("token", "gone", {"exp": time.time() + 60})
    assert known.find("token", keys) is None


def test_what_is_known_is_forgotten_soon(
    keys: MemorySigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "KEPT_S", 0.05)
    known = Verified()
    known.keep("token", keys.signer().kid, {"exp": time.time() + 60})
    time.sleep(0.1)
    assert known.find("token", keys) is None
