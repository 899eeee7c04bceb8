"""Imports of files from elsewhere, step by step: asked for, fetched, resumed, lost, refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.adapters.remote_memory import MemoryRemote
from nextstream.domain.accounts import Account, Role
from nextstream.domain.video import State, Video
from nextstream.errors import NextStreamError, NotAllowed, RemoteUnavailable
from nextstream.ports import Platform, Upload, Wanted
from nextstream.services import imports, resumable, upload_leases

OWNER = Account("ada", "ada", "", Role.UPLOADER, HandClock().now())
FILM = bytes(range(256)) * 40
PDF_URL = "https://example.org/brief.pdf"
URL = "https://example.org/films/my%20film.mp4"


@pytest.fixture
def remote() -> MemoryRemote:
    return MemoryRemote()


@pytest.fixture
def platform(remote: MemoryRemote) -> Platform:
    made = wiring.in_memory(remote=remote, clock=HandClock(), dispatcher=MemoryDispatcher())
    return replace(made, settings=replace(made.settings, imports=True))


def begin(platform: Platform, url: str = URL) -> Upload:
    return imports.begin(platform, OWNER, url, resumable.Wish(None, filename=""))


def video(platform: Platform, upload: Upload) -> Video:
    with platform.database.transaction() as tx:
        return tx.videos.get(upload.id)


def test_a_file_becomes_a_video_under_the_id_it_had_from_the_start(
    platform: Platform, remote: MemoryRemote
) -> None:
    remote.files[URL] = FILM
    upload = begin(platform)
    begun = video(platform, upload)
    assert (begun.state, begun.filename, begun.title) == (State.UPLOADING, "my film.mp4", "my film")
    imports.fetch(platform, upload.id, last_try=False)
    imports.fetch(platform, upload.id, last_try=False)  # a message may come twice
    assert video(platform, upload).state is State.UPLOADED
    assert platform.storage.read(f"videos/{upload.id}/source") == FILM
    assert remote.asked == [0]


def test_a_fetch_goes_on_where_it_broke_off(platform: Platform, remote: MemoryRemote) -> None:
    remote.files[URL], remote.cut_bytes = FILM, 4000
    upload = begin(platform)
    with pytest.raises(RemoteUnavailable):
        imports.fetch(platform, upload.id, last_try=False)
    remote.cut_bytes = None
    imports.fetch(platform, upload.id, last_try=False)
    assert platform.storage.read(f"videos/{upload.id}/source") == FILM


@pytest.mark.parametrize(
    ("url", "limit", "code"),
    [
        ("https://example.org/none", 10**9, "remote_refused"),
        (URL, 100, "upload_too_large"),
        (PDF_URL, 10**9, "source_not_video"),
    ],
)
def test_what_cant_be_fetched_fails_with_a_reason(
    platform: Platform, remote: MemoryRemote, url: str, limit: int, code: str
) -> None:
    remote.files |= {URL: FILM, PDF_URL: b"%PDF-1.7"}
    small = replace(platform, settings=replace(platform.settings, upload_max_bytes=limit))
    upload = begin(small, url)
    imports.fetch(small, upload.id, last_try=False)
    found = video(platform, upload)
    assert found.failure is not None
    assert (found.state, found.failure.code) == (State.FAILED, code)
    assert not list(platform.storage.list("videos/"))


def test_the_last_try_fails_the_video(platform: Platform, remote: MemoryRemote) -> None:
    remote.files[URL], remote.cut_bytes = FILM, 0
    upload = begin(platform)
    imports.fetch(platform, upload.id, last_try=True)
    assert video(platform, upload).state is State.FAILED


def test_an_import_whose_message_or_worker_was_lost_is_sent_again(
    platform: Platform, remote: MemoryRemote
) -> None:
    remote.files[URL], remote.cut_bytes = FILM, 4000
    clock, sent = platform.clock, platform.dispatcher
    assert isinstance(clock, HandClock)
    assert isinstance(sent, MemoryDispatcher)
    upload = begin(platform)
    for tries in (1, 2):
        clock.advance(600)
        assert imports.send_lost(platform) == 0
        clock.advance(1)
        assert (imports.send_lost(platform), imports.send_lost(platform)) == (1, 0)
        assert sent.fetched == [upload.id] * (tries + 1)
        with pytest.raises(RemoteUnavailable):
            imports.fetch(platform, upload.id, last_try=False)


def test_an_import_that_is_fetched_isnt_sent_for_and_a_second_worker_leaves_it(
    platform: Platform, remote: MemoryRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.files[URL] = FILM
    monkeypatch.setattr(upload_leases, "WAIT_S", 0)
    upload = begin(platform)
    clock = platform.clock
    assert isinstance(clock, HandClock)
    clock.advance(601)
    with upload_leases.held(platform, upload.id):
        assert imports.send_lost(platform) == 0
        imports.fetch(platform, upload.id, last_try=True)
    assert video(platform, upload).state is State.UPLOADING


def test_imports_are_off_unless_chosen(platform: Platform) -> None:
    off = replace(platform, settings=replace(platform.settings, imports=False))
    with pytest.raises(NotAllowed):
        begin(off)


def test_a_url_that_cant_be_meant_makes_no_video(platform: Platform) -> None:
    with pytest.raises(NextStreamError):
        begin(platform, "http://example.org:22/")
    with platform.database.transaction() as tx:
        assert not tx.videos.page(Wanted(), None, 10)
