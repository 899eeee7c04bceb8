"""What every way to hash passwords does."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest

from nextstream.adapters.credentials import MEMORY_KIB, NOBODY, PARALLEL, ArgonPasswords, PlainPasswords
from nextstream.ports import Passwords


@pytest.fixture(params=[PlainPasswords, ArgonPasswords])
def passwords(request: pytest.FixtureRequest) -> Passwords:
    made: Passwords = request.param()
    return made


@pytest.mark.parametrize("password", ["correct horse", "", "日本語 🎬", "a\x00b", "\ud800", "x" * 1024])
def test_a_password_fits_its_own_hash_alone(passwords: Passwords, password: str) -> None:
    hashed = passwords.hash(password)
    assert passwords.verify(hashed, password)
    for other in (f"{password} ", f"{password}x", password[:-1] or "y"):
        assert not passwords.verify(hashed, other)


def test_case_and_the_last_of_many_characters_count(passwords: Passwords) -> None:
    hashed = passwords.hash("a" * 200 + "b")
    assert not passwords.verify(hashed, "a" * 200 + "B")


def test_a_password_typed_on_another_system_fits(passwords: Passwords) -> None:
    assert passwords.verify(passwords.hash("Mu\u0308ller"), "M\u00fcller")


def test_two_hashes_of_one_password_differ(passwords: Passwords) -> None:
    assert passwords.hash("same") != passwords.hash("same")


def test_a_hash_does_not_hold_the_password(passwords: Passwords) -> None:
    assert "geheim" not in passwords.hash("geheim")


@pytest.mark.parametrize(
    "nothing", [None, "", "x", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"]
)
@pytest.mark.parametrize("password", ["", "x", "password"])
def test_nothing_fits_what_is_no_hash(passwords: Passwords, nothing: str | None, password: str) -> None:
    assert not passwords.verify(nothing, password)


def test_the_parameters_are_owasps_and_stand_in_the_hash() -> None:
    hashed = ArgonPasswords().hash("x")
    assert hashed.startswith(f"$argon2id$v=19$m={MEMORY_KIB},t=1,p=1$")
    assert MEMORY_KIB * 1024 == 46 * 2**20


def test_an_unknown_name_costs_the_time_of_a_known_one() -> None:
    passwords = ArgonPasswords()
    hashed = passwords.hash("x")
    assert argon2.extract_parameters(NOBODY) == argon2.extract_parameters(hashed)

    def cpu_s(password_hash: str | None) -> float:
        started = time.thread_time()
        assert not passwords.verify(password_hash, "wrong")
        return time.thread_time() - started

    known, unknown = zip(*((cpu_s(hashed), cpu_s(None)) for _ in range(7)), strict=True)
    assert 0.5 < statistics.median(unknown) / statistics.median(known) < 2


def test_many_logins_at_once_hash_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def watch(*_: object) -> bool:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        with lock:
            at_once -= 1
        return True

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watch)
    passwords = ArgonPasswords()
    with ThreadPoolExecutor(3 * PARALLEL) as pool:
        list(pool.map(lambda _: passwords.verify(None, "x"), range(3 * PARALLEL)))
    assert most == PARALLEL
