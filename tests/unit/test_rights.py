from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.domain.video import Visibility
from nextstream.errors import (
    BadRequest,
    PreconditionFailed,
    TicketRefused,
    VideoNotFound,
)
from nextstream.ports import Order, Platform, Wanted
from nextstream.services import library, rights, uploads
from tests.unit.test_library import ADA, BOB, OPERATOR


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def platform(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setattr(rights, "KNOWN_S", 0.0)  # changes are seen at once
    return wiring.in_memory(clock=clock)


def upload(platform: Platform, **changes: Any) -> str:
    video = uploads.receive(platform, ADA, "clip.mp4", None, [b"film"], None)
    return library.change(platform, ADA, video.id, changes, None, None).id


@pytest.mark.parametrize("visibility", [Visibility.PUBLIC, Visibility.UNLISTED])
def test_who_has_the_address_may_play_what_is_not_private(
    platform: Platform, visibility: Visibility
) -> None:
    rights.admit(platform, upload(platform, visibility=visibility), None)


def test_a_private_video_is_not_there_without_a_ticket(platform: Platform) -> None:
    video_id = upload(platform, visibility=Visibility.PRIVATE)
    with pytest.raises(VideoNotFound):
        rights.admit(platform, video_id, None)
    ticket = rights.grant(platform, ADA, video_id, 60)
    assert rights.admit(platform, video_id, ticket.word).owner_id == "ada"


def test_only_the_owner_and_operators_give_tickets(platform: Platform) -> None:
    video_id = upload(platform)
    for act in (rights.grant, rights.revoke):
        with pytest.raises(VideoNotFound):
            act(platform, BOB, video_id, 60)  # type: ignore[operator]  # both take four
    rights.grant(platform, OPERATOR, video_id, 60)


def test_a_ticket_ends(platform: Platform, clock: HandClock) -> None:
    video_id = upload(platform, visibility=Visibility.PRIVATE)
    ticket = rights.grant(platform, ADA, video_id, 60)
    assert ticket.expires_at == clock.now() + timedelta(seconds=60)
    clock.advance(59)
    rights.admit(platform, video_id, ticket.word)
    clock.advance(2)
    with pytest.raises(TicketRefused):
        rights.admit(platform, video_id, ticket.word)


def test_revoked_tickets_are_worthless_and_new_ones_good(platform: Platform) -> None:
    video_id, other = upload(platform), upload(platform)
    old, others = (rights.grant(platform, ADA, each, 60) for each in (video_id, other))
    rights.revoke(platform, ADA, video_id, "r1")
    with pytest.raises(TicketRefused):
        rights.admit(platform, video_id, old.word)
    rights.admit(platform, video_id, rights.grant(platform, ADA, video_id, 60).word)
    rights.admit(platform, other, others.word)
    with platform.database.transaction() as tx:
        event = tx.outbox.page(0, 99, video_id)[-1].event
    assert (event.type, event.request_id) == ("video.tickets_revoked", "r1")


def test_a_ticket_opens_no_other_video(platform: Platform) -> None:
    mine, others = upload(platform), upload(platform, visibility=Visibility.PRIVATE)
    with pytest.raises(TicketRefused):
        rights.admit(platform, others, rights.grant(platform, ADA, mine, 60).word)


def test_a_bad_ticket_is_refused_even_where_none_is_needed(platform: Platform) -> None:
    with pytest.raises(TicketRefused):
        rights.admit(platform, upload(platform, visibility=Visibility.PUBLIC), "forged")


def test_a_ticket_that_a_browser_kept_closes_nothing_that_is_open(platform: Platform) -> None:
    video_id = upload(platform, visibility=Visibility.PRIVATE)
    kept = rights.grant(platform, ADA, video_id, 60).word
    rights.admit(platform, video_id, None, kept)
    rights.revoke(platform, ADA, video_id, None)
    with pytest.raises(TicketRefused):
        rights.admit(platform, video_id, None, kept)
    library.change(platform, ADA, video_id, {"visibility": Visibility.UNLISTED}, None, None)
    rights.admit(platform, video_id, None, kept)
    rights.admit(platform, video_id, rights.grant(platform, ADA, video_id, 60).word, kept)


def test_a_video_that_is_not_there_cannot_be_played(platform: Platform) -> None:
    with pytest.raises(VideoNotFound):
        rights.admit(platform, "none", None)


def test_what_was_read_is_known_for_a_moment(clock: HandClock) -> None:
    platform = wiring.in_memory(clock=clock)
    video_id = upload(platform)
    rights.admit(platform, video_id, None)
    library.change(platform, ADA, video_id, {"visibility": Visibility.PRIVATE}, None, None)
    rights.admit(platform, video_id, None)


def test_a_change_is_stored_and_told(platform: Platform) -> None:
    video_id = upload(platform)
    changed = library.change(platform, ADA, video_id, {"title": "New"}, None, "r2")
    assert library.get(platform, ADA, video_id) == changed
    with platform.database.transaction() as tx:
        event = tx.outbox.page(0, 99, video_id)[-1].event
    assert (event.type, event.data) == ("video.changed", {"by": "ada", "title": "New"})


def test_a_change_of_what_was_read_before_another_change_is_refused(platform: Platform) -> None:
    video_id = upload(platform)
    read = library.get(platform, ADA, video_id).revision
    library.change(platform, ADA, video_id, {"title": "First"}, read, None)
    with pytest.raises(PreconditionFailed):
        library.change(platform, ADA, video_id, {"title": "Second"}, read, None)
    with pytest.raises(PreconditionFailed):
        library.remove(platform, ADA, video_id, revision=read)


def test_only_the_owner_and_operators_change_a_video(platform: Platform) -> None:
    video_id = upload(platform)
    with pytest.raises(VideoNotFound):
        library.change(platform, BOB, video_id, {"title": "Mine"}, None, None)
    with pytest.raises(BadRequest):
        library.change(platform, OPERATOR, video_id, {"title": "  "}, None, None)


def test_everyone_finds_public_videos_and_only_these(platform: Platform) -> None:
    upload(platform)
    public = upload(platform, visibility=Visibility.PUBLIC)
    page = library.page(platform, BOB, Wanted(), None, 9, everyone=True)
    assert [video.id for video in page.videos] == [public]
    hidden = Wanted(visibility=Visibility.UNLISTED, owner_id="ada")
    assert not library.page(platform, BOB, hidden, None, 9).videos
    assert len(library.page(platform, BOB, hidden, None, 9, everyone=True).videos) == 1
    assert len(library.page(platform, ADA, Wanted(order=Order.TITLE), None, 9).videos) == 2
