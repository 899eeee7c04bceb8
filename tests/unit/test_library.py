from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.domain import variants
from nextstream.domain.accounts import Account, Role
from nextstream.domain.video import Video
from nextstream.errors import (
    BadRequest,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    StorageUnavailable,
    VideoNotFound,
    VideoNotReady,
)
from nextstream.ports import Order, Platform, StoredObject, Wanted
from nextstream.services import (
    downloads,
    events,
    following,
    images,
    library,
    playback,
    purging,
    transcoding,
    uploads,
)
from nextstream.services.growing import Playlist

ADA = Account("ada", "ada", "", Role.UPLOADER, datetime(2030, 1, 1, tzinfo=UTC))
BOB = replace(ADA, id="bob", name="bob")
OPERATOR = replace(ADA, id="operator", name="operator", role=Role.OPERATOR)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def platform(clock: HandClock) -> Platform:
    return wiring.in_memory(clock=clock)


def upload(platform: Platform, owner: Account = ADA) -> Video:
    return uploads.receive(platform, owner, "clip.mp4", None, [b"film"], None)


def planned(platform: Platform) -> Video:
    """Give a video whose encode is planned."""
    video = upload(platform)
    transcoding.probe(platform, video.id, 1, "worker")
    return library.get(platform, ADA, video.id)


def test_a_video_is_there_for_its_owner_and_operators_alone(platform: Platform) -> None:
    video = upload(platform)
    assert library.get(platform, ADA, video.id) == library.get(platform, OPERATOR, video.id) == video
    for get in (library.get, library.remove):
        with pytest.raises(VideoNotFound):
            get(platform, BOB, video.id)


def test_pages_hold_ones_own_videos_and_operators_all(platform: Platform, clock: HandClock) -> None:
    made = []
    for owner in (ADA, BOB, ADA):
        made.append(upload(platform, owner).id)
        clock.advance(1)

    def ids(page: library.Page) -> list[str]:
        return [video.id for video in page.videos]

    assert ids(library.page(platform, ADA, Wanted(), None, 10)) == [made[2], made[0]]
    assert ids(library.page(platform, OPERATOR, Wanted(), None, 10)) == made[::-1]
    first = library.page(platform, OPERATOR, Wanted(), None, 2)
    assert ids(first) == [made[2], made[1]]
    last = library.page(platform, OPERATOR, Wanted(), first.next, 2)
    assert (ids(last), last.next) == ([made[0]], None)


@pytest.mark.parametrize("order", Order)
def test_a_list_goes_on_where_its_last_video_was_removed(platform: Platform, order: Order) -> None:
    made = {upload(platform).id for _ in range(5)}
    seen, wanted, following = set[str](), Wanted(order=order), None
    while page := library.page(platform, ADA, wanted, following, 2):
        for video in page.videos:
            library.remove(platform, ADA, video.id)
            seen.add(video.id)
        if (following := page.next) is None:
            break
    assert seen == made


def word(*facts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(facts).encode()).decode()


@pytest.mark.parametrize(
    ("before", "order"),
    [
        ("", Order.NEWEST),
        ("v1", Order.NEWEST),
        ("\u00fc", Order.TITLE),
        (word("v1"), Order.NEWEST),
        (word("v1", "Title"), Order.OLDEST),
        (word("v1", "9999-12-31T23:59:59-23:00"), Order.OLDEST),
        (word("v1", "a\0"), Order.TITLE),
        (word("v\0", "a"), Order.TITLE),
        (word("v1", 5), Order.TITLE),
        (word("v1", 2**63), Order.LARGEST),
        (word("v1", "2030-01-01T00:00:00Z"), Order.LARGEST),
    ],
)
def test_what_no_page_gave_as_next_is_refused(platform: Platform, before: str, order: Order) -> None:
    with pytest.raises(BadRequest, match="next"):
        library.page(platform, ADA, Wanted(order=order), before, 2)


def test_a_page_that_just_fits_is_the_last(platform: Platform) -> None:
    upload(platform)
    assert library.page(platform, ADA, Wanted(), None, 1).next is None


def test_a_removed_video_is_gone_with_its_files_and_work(platform: Platform) -> None:
    video, other = planned(platform), upload(platform)
    library.remove(platform, ADA, video.id, "r9")
    assert {found.key for found in platform.storage.list("")} == {f"videos/{other.id}/source"}
    with platform.database.transaction() as tx:
        assert not tx.pieces.list(video.id, 1)
        event = tx.outbox.page(0, 100, video.id)[-1].event
    assert (event.type, event.request_id, event.data) == ("video.deleted", "r9", {"by": "ada"})
    with pytest.raises(VideoNotFound):
        library.remove(platform, ADA, video.id)


def test_a_removal_of_what_was_read_before_a_change_is_refused(platform: Platform) -> None:
    seen = upload(platform)

    class Overtaken(type(platform.database)):  # type: ignore[misc]  # the twin's own class, at run time
        def transaction(self) -> object:
            self.__class__ = Overtaken.__base__
            library.change(platform, ADA, seen.id, {"title": "New"}, None, None)
            return self.transaction()

    platform.database.__class__ = Overtaken
    with pytest.raises(PreconditionFailed):
        library.remove(platform, ADA, seen.id, None, seen.revision)
    assert library.get(platform, ADA, seen.id).title == "New"


def test_who_only_looks_waits_for_nobody_who_writes(platform: Platform) -> None:
    video = transcoding.run(platform, upload(platform).id, 1, slots=1)
    with platform.database.transaction():
        assert following.look(platform, ADA, video.id, None).is_last
        assert following.look(platform, ADA, video.id, 0).events
        assert images.find(platform, video.id, 1.0, 320).width == 320
        assert downloads.find(platform, video.id, "v720", sound=False).size_bytes


def test_a_removal_while_storage_is_away_takes_the_files_later(platform: Platform) -> None:
    video = upload(platform)

    class Away:
        def remove(self, prefix: str) -> int:
            raise StorageUnavailable

    library.remove(replace(platform, storage=Away()), ADA, video.id)  # type: ignore[arg-type]
    with pytest.raises(VideoNotFound):
        library.get(platform, ADA, video.id)
    assert list(platform.storage.list(""))
    purging.sweep(platform)
    assert not list(platform.storage.list(""))


def test_a_ready_video_has_a_master_that_names_what_is_there(platform: Platform) -> None:
    video = transcoding.run(platform, upload(platform).id, 1, slots=1)
    stored = playback.master(platform, video.id)
    assert isinstance(stored, StoredObject)
    text = platform.storage.read(stored.key).decode()
    names = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(names) >= 3
    for name in names:
        assert isinstance(playback.file(platform, video.id, name), StoredObject)
    small = playback.master(platform, video.id, variants.Wanted(max_height=360))
    assert isinstance(small, Playlist)
    assert set(small.text.splitlines()) < set(text.splitlines())
    assert "RESOLUTION=640x360" in small.text


def test_a_file_that_may_still_come_is_not_ready(platform: Platform) -> None:
    video = upload(platform)
    for name in ("master.m3u8", "manifest.mpd", "v1/v720/00001.m4s"):
        with pytest.raises(VideoNotReady):
            playback.file(platform, video.id, name)
    with pytest.raises(VideoNotReady):
        playback.master(platform, video.id)


def test_a_file_that_will_never_come_is_not_found(platform: Platform) -> None:
    video = transcoding.run(platform, upload(platform).id, 1, slots=1)
    for video_id, name, error in [
        (video.id, "v1/v720/99999.m4s", NotFound),
        (video.id, "v2/v720/00001.m4s", NotFound),
        ("nobody", "master.m3u8", VideoNotFound),
    ]:
        with pytest.raises(error) as caught:
            playback.file(platform, video_id, name)
        assert not isinstance(caught.value, VideoNotReady)


@pytest.mark.parametrize(
    "name", ["source", "../x/master.m3u8", "v1//a.m4s", "/etc/passwd.mp4", "v1/.a/b.m4s"]
)
def test_no_name_reaches_what_is_private(platform: Platform, name: str) -> None:
    video = upload(platform)
    with pytest.raises(NotFound) as caught:
        playback.file(platform, video.id, name)
    assert not isinstance(caught.value, VideoNotReady)


def test_events_are_for_operators(platform: Platform) -> None:
    upload(platform)
    with pytest.raises(NotAllowed):
        events.page(platform, ADA, 0, 10)
    found = events.page(platform, OPERATOR, 0, 10)
    assert [entry.event.type for entry in found] == ["video.created", "video.uploaded"]
    assert events.page(platform, OPERATOR, found[0].place, 10) == found[1:]
