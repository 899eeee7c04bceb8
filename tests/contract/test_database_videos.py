"""What every database does with videos."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextstream.adapters.database import SqlDatabase
from nextstream.domain.plan import PROBE, Plan
from nextstream.domain.source import SourceInfo
from nextstream.domain.video import Failure, Rendition, State, Video, Visibility
from nextstream.errors import (
    Conflict,
    StaleVideo,
    VideoNotFound,
)
from nextstream.ports import Access, Database, Order, Wanted
from tests.contract.conftest import Open
from tests.contract.rows import CHUNK, LATER, MADE, NOW, VIDEO, event, store

FULL = replace(
    VIDEO,
    state=State.FAILED,
    version=3,
    size_bytes=5 * 2**40,
    request_id="req-1",
    renditions=MADE,
    failure=Failure("source_truncated", "Upload it again.", None, retryable=True),
    state_times={State.UPLOADING: NOW, State.CREATED: LATER},
)


def test_a_video_comes_back_as_it_went_in(database: Database) -> None:
    store(database, FULL)
    with database.transaction() as tx:
        found = tx.videos.get("v1")
    assert found == FULL
    assert list(found.state_times) == [State.UPLOADING, State.CREATED]
    assert isinstance(found.state, State)
    assert hash(found.renditions)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=st.from_type(SourceInfo), plan=st.from_type(Plan), made=st.from_type(Rendition))
def test_fractions_and_text_come_back_exactly(
    database: Database, source: SourceInfo, plan: Plan, made: Rendition
) -> None:
    video = replace(VIDEO, id=uuid4().hex, source=source, plan=plan, renditions=(made,))
    with database.transaction() as tx:
        tx.videos.add(video)
        assert tx.videos.get(video.id) == video
        assert tx.videos.get(video.id).plan == plan


def test_times_come_back_in_utc(database_url: str) -> None:
    database = SqlDatabase(database_url)
    here = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    store(database, replace(VIDEO, created_at=here, state_times={State.CREATED: here}))
    with database.transaction() as tx:
        tx.outbox.add(replace(event(), time=here))
        found = tx.videos.get("v1")
        times = [found.created_at, found.state_times[State.CREATED], tx.outbox.page(0, 1)[0].event.time]
    assert times == [NOW] * 3
    assert [time.tzinfo for time in times] == [UTC] * 3
    database.close()


def test_a_time_without_a_zone_is_refused(database_url: str) -> None:
    database = SqlDatabase(database_url)
    with pytest.raises(Exception, match="has no zone"):
        store(database, replace(VIDEO, created_at=NOW.replace(tzinfo=None)))
    database.close()


def test_saving_counts_the_revision_up(database: Database) -> None:
    store(database, VIDEO)
    with database.transaction() as tx:
        saved = tx.videos.save(replace(VIDEO, title="new", source=None))
        assert saved == replace(VIDEO, title="new", revision=1)
        assert tx.videos.save(saved).revision == 2
        assert tx.videos.get("v1") == replace(saved, revision=2)


def test_a_video_that_was_saved_since_is_stale(database: Database) -> None:
    store(database, VIDEO)
    with database.transaction() as tx:
        saved = tx.videos.save(replace(VIDEO, title="theirs"))
        with pytest.raises(StaleVideo):
            tx.videos.save(replace(VIDEO, title="ours"))
        assert tx.videos.get("v1") == saved


def test_of_many_who_change_a_video_they_read_none_is_overwritten(open_database: Open) -> None:
    store(open_database(), replace(VIDEO, title=""))

    def append(letter: str) -> None:
        database = open_database()
        for _ in range(5):
            while True:
                with suppress(StaleVideo), database.transaction() as tx:
                    video = tx.videos.get("v1")
                    tx.videos.save(replace(video, title=video.title + letter))
                    break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, "abcd"))
    with open_database().transaction() as tx:
        assert sorted(tx.videos.get("v1").title) == sorted("abcd" * 5)


def test_a_video_that_is_not_there_is_not_found(database: Database) -> None:
    with database.transaction() as tx:
        with pytest.raises(VideoNotFound):
            tx.videos.get("v1")
        with pytest.raises(VideoNotFound):
            tx.videos.save(VIDEO)


def test_a_video_is_stored_once(database: Database) -> None:
    store(database, VIDEO)
    with pytest.raises(Conflict):
        store(database, replace(VIDEO, title="another"))
    with database.transaction() as tx:
        assert tx.videos.get("v1") == VIDEO


def test_a_removed_video_takes_its_pieces_along_and_no_others(database: Database) -> None:
    store(database, VIDEO, replace(VIDEO, id="v2"))
    with database.transaction() as tx:
        tx.pieces.add("v1", 1, [PROBE, CHUNK])
        tx.pieces.add("v1", 2, [PROBE])
        tx.pieces.add("v2", 1, [PROBE])
    for _ in range(2):
        with database.transaction() as tx:
            tx.videos.remove("v1")
    with database.transaction() as tx:
        assert [video.id for video in tx.videos.page(Wanted(), None, 9)] == ["v2"]
        kept = [len(tx.pieces.list(*encode)) for encode in (("v1", 1), ("v1", 2), ("v2", 1))]
    assert kept == [0, 0, 1]


def walk(database: Database, owner_id: str | None, limit: int) -> Iterator[str]:
    before = None
    while True:
        with database.transaction() as tx:
            page = tx.videos.page(Wanted(owner_id), before, limit)
        yield from (video.id for video in page)
        if len(page) < limit:
            return
        before = Order.NEWEST.place(page[-1])


@pytest.fixture
def many(database: Database) -> list[Video]:
    """Store videos of two owners, three at a time made in the same moment, newest last."""
    videos = [
        replace(
            VIDEO, id=f"{n:02d}", owner_id="ab"[n % 2], created_at=NOW + timedelta(microseconds=n // 3)
        )
        for n in range(10)
    ]
    store(database, *reversed(videos))
    return videos


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 99])
def test_pages_give_every_video_once_newest_first(
    database: Database, many: list[Video], limit: int
) -> None:
    assert list(walk(database, None, limit)) == [video.id for video in reversed(many)]


def test_pages_of_an_owner_have_no_others(database: Database, many: list[Video]) -> None:
    assert list(walk(database, "a", 2)) == ["08", "06", "04", "02", "00"]


def test_pages_stay_in_place_while_videos_come_and_go(database: Database, many: list[Video]) -> None:
    walking = walk(database, None, 2)
    seen = [next(walking), next(walking)]
    store(database, replace(VIDEO, id="99", created_at=LATER))
    with database.transaction() as tx:
        for gone in ("05", seen[-1]):  # the last one of the page, too
            tx.videos.remove(gone)
    assert [*seen, *walking] == ["09", "08", "07", "06", "04", "03", "02", "01", "00"]


def test_a_place_is_one_in_the_list_of_whoever_asks(database: Database, many: list[Video]) -> None:
    anothers = Order.NEWEST.place(many[5])
    with database.transaction() as tx:
        assert [video.id for video in tx.videos.page(Wanted("a"), anothers, 2)] == ["04", "02"]


def listed(database: Database, **wanted: Any) -> str:
    """Give the ids of all pages of two, in their order."""
    with database.transaction() as tx:
        found, before = "", None
        while page := tx.videos.page(Wanted(**wanted), before, 2):
            found += "".join(video.id for video in page)
            before = Wanted(**wanted).order.place(page[-1])
    return found


@pytest.fixture
def mixed(database: Database) -> Database:
    """Store videos that differ in everything a list goes by."""
    store(
        database,
        replace(VIDEO, id="a", title="Zebra", size_bytes=5, created_at=NOW, state=State.READY),
        replace(VIDEO, id="b", title="apple 100%", size_bytes=None, created_at=LATER),
        replace(VIDEO, id="c", title="Mango", size_bytes=7, created_at=NOW, owner_id="other"),
        replace(VIDEO, id="d", title="mango", size_bytes=7, visibility=Visibility.PUBLIC),
    )
    return database


@pytest.mark.parametrize(
    ("order", "ids"),
    [(Order.NEWEST, "bdca"), (Order.OLDEST, "acdb"), (Order.TITLE, "bcda"), (Order.LARGEST, "dcab")],
)
def test_a_list_has_its_order_over_all_pages(mixed: Database, order: Order, ids: str) -> None:
    assert listed(mixed, order=order) == ids


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"state": State.READY}, "a"),
        ({"visibility": Visibility.PUBLIC}, "d"),
        ({"text": "MANGO"}, "dc"),
        ({"text": "0%"}, "b"),
        ({"text": "%"}, "b"),
        ({"text": "_"}, ""),
        ({"owner_id": "other", "text": "mango"}, "c"),
    ],
    ids=str,
)
def test_a_list_holds_what_fits_all_that_is_wanted(
    mixed: Database, wanted: dict[str, Any], ids: str
) -> None:
    assert listed(mixed, **wanted) == ids


def test_who_may_play_is_told_without_the_rest(database: Database) -> None:
    store(database, replace(VIDEO, visibility=Visibility.PRIVATE, ticket_epoch=4))
    with database.transaction() as tx:
        assert tx.videos.access("v1") == Access("owner", Visibility.PRIVATE, 4)
        with pytest.raises(VideoNotFound):
            tx.videos.access("none")
