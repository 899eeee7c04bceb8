"""A user's changes of a video while somebody else changes it, over each database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import sleep
from typing import Any

import pytest

from nextstream import wiring
from nextstream.domain.accounts import Account, Role
from nextstream.domain.video import State
from nextstream.ports import Database, Platform
from nextstream.services import library, rights, subtitles
from nextstream.services.subtitles import Label
from tests.contract.rows import NOW, VIDEO

OWNER = Account(VIDEO.owner_id, "owner", "", Role.UPLOADER, NOW)
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHi\n"
MEANWHILE_S = 0.1  # in which a change that doesn't wait would read what is about to change


@pytest.mark.parametrize(
    "change",
    [
        lambda platform: library.change(platform, OWNER, "v1", {"title": "Mine"}, None, None),
        lambda platform: rights.revoke(platform, OWNER, "v1", None),
        lambda platform: subtitles.put(platform, OWNER, "v1", Label("de"), SRT),
        lambda platform: library.remove(platform, OWNER, "v1"),
    ],
    ids=["change", "revoke", "subtitles", "remove"],
)
def test_a_change_without_a_condition_comes_after_another_that_is_under_way(
    open_database: Callable[[], Database], change: Callable[[Platform], Any]
) -> None:
    platform, other = replace(wiring.in_memory(), database=open_database()), open_database()
    with other.transaction() as tx:
        tx.videos.add(VIDEO)
    with ThreadPoolExecutor(1) as pool:
        with other.transaction() as tx:
            tx.videos.lock("v1")
            seen = tx.videos.get("v1")
            changing = pool.submit(change, platform)
            sleep(MEANWHILE_S)
            tx.videos.save(replace(seen, state=State.UPLOADED))
        changing.result()
