"""Doing what a request asks for once, however often it is sent under its key.

A lease keeps a request that runs from its repeats; a server that is killed gives it up by itself.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from nextstream.domain import idempotency
from nextstream.errors import Conflict, IdempotencyMismatch, NextStreamError, RequestRunning
from nextstream.ports import KeyedRequest, Platform

log = structlog.get_logger()

KEPT = timedelta(hours=24)
LEASE_S = 20.0
BEAT_EVERY_S = 5.0  # an upload may run for hours


@dataclass
class Turn:
    """A request's turn: `answer` is the one that was given before, or is set to the one to give again.

    Without one at the end the key is free: nothing was created, and a repeat may do better.
    """

    answer: bytes | None = None


@contextmanager
def turn(platform: Platform, owner_id: str, key: str, fingerprint: str) -> Iterator[Turn]:
    """Take the turn of a request under its key for the block.

    Raises RequestRunning while another one with the key runs, and IdempotencyMismatch where the key
    was used with another request in the last 24 hours.
    """
    lock = (owner_id, key, platform.settings.secret_key)
    request = _take(platform, owner_id, key, fingerprint)
    if request.answer is not None:
        yield Turn(idempotency.unseal(request.answer, *lock))
        return
    mine = Turn()
    try:
        with _beating(platform, request):
            yield mine
    finally:
        sealed = None if mine.answer is None else idempotency.seal(mine.answer, *lock)
        _settle(platform, replace(request, answer=sealed))


def prune(platform: Platform) -> int:
    """Forget the requests whose time is over, and count them."""
    with platform.database.transaction() as tx:
        return tx.keyed_requests.forget(platform.clock.now() - KEPT)


def _take(platform: Platform, owner_id: str, key: str, fingerprint: str) -> KeyedRequest:
    """Begin a request, in place of one that was given up, or give the one that was answered."""
    now = platform.clock.now()
    key_hash, token = idempotency.digest(owner_id, key), secrets.token_hex(16)
    mine = KeyedRequest(owner_id, key_hash, fingerprint, token, now, _lease_until(now))
    try:
        with platform.database.transaction() as tx:
            found = tx.keyed_requests.find(owner_id, key_hash)
            if found and found.created_at > now - KEPT:
                _check(found, fingerprint, now)
                if found.answer is not None:
                    return found
            if found:
                tx.keyed_requests.remove(found)
            tx.keyed_requests.add(mine)
    except Conflict as error:  # the same key, at the same moment
        raise RequestRunning from error
    return mine


def _check(found: KeyedRequest, fingerprint: str, now: datetime) -> None:
    if found.fingerprint != fingerprint:
        raise IdempotencyMismatch
    if found.answer is None and found.lease_until > now:
        raise RequestRunning


@contextmanager
def _beating(platform: Platform, request: KeyedRequest) -> Iterator[None]:
    """Lengthen a request's lease for as long as the block runs."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_EVERY_S):
            lease_until = _lease_until(platform.clock.now())
            with suppress(NextStreamError), platform.database.transaction() as tx:
                if not over.is_set():
                    tx.keyed_requests.save(replace(request, lease_until=lease_until))

    beater = threading.Thread(target=beat, name="idempotency", daemon=True)
    beater.start()
    try:
        yield
    finally:
        over.set()
        beater.join()  # its last word must not come after the answer


def _settle(platform: Platform, request: KeyedRequest) -> None:
    """Note the answer, or that there is none; where neither can be noted, the lease ends by itself."""
    try:
        with platform.database.transaction() as tx:
            if request.answer is None:
                tx.keyed_requests.remove(request)
            else:
                tx.keyed_requests.save(request)
    except NextStreamError as error:
        log.warning("answer of a keyed request not noted", error=str(error))


def _lease_until(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_S)
