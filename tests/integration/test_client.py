"""Our own client against the gateway: every method once, and what it does by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nextstream.client import Client, Memory, Refused, State, Unreachable, Visibility, log_in
from nextstream.domain.accounts import Role
from nextstream.services import webhooks
from tests import sites, tus_clients
from tests.sites import PASSWORD, Site

MIB = 1024**2


@pytest.fixture(scope="module")
def open_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a site that lets URLs be fetched, and webhooks be here."""
    chosen = {"imports": "true", "outside_private": "true"}
    with sites.run(tmp_path_factory.mktemp("client"), separate=False, **chosen) as site:
        yield site


@pytest.fixture
def ns(open_site: Site) -> Iterator[Client]:
    with Client.log_in(open_site.url, open_site.user().name, PASSWORD) as client:
        yield client


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "the film.mp4"
    path.write_bytes(os.urandom(12 * MIB + 7))
    return path


def source(site: Site, video_id: str) -> bytes:
    return site.platform.storage.read(f"videos/{video_id}/source")


def test_a_login_renews_its_tokens_before_they_end_and_when_they_are_refused(open_site: Site) -> None:
    name = open_site.user().name
    shelf = Memory(log_in(open_site.url, name, PASSWORD))
    first = shelf.load()
    with Client(open_site.url, shelf=shelf) as ns:
        assert ns.me.get().name == name
        assert shelf.load() == first
        shelf.save(replace(first, ends_at=time.time() + 5))
        assert ns.me.get().name == name
        second = shelf.load()
        assert second.refresh != first.refresh
        shelf.save(replace(second, access="worthless"))
        assert ns.me.get().name == name
        assert shelf.load().refresh not in (first.refresh, second.refresh)
        ns.me.log_out()
        with pytest.raises(Refused) as refused:
            ns.me.get()
        assert (refused.value.status, refused.value.retryable) == (401, False)


def test_a_refusal_tells_its_code_its_sentence_and_the_request(open_site: Site, ns: Client) -> None:
    with pytest.raises(Refused, match="There is no such video") as refused:
        ns.videos.get("no such video?")
    error = refused.value
    assert (error.status, error.code, error.retryable) == (404, "video_not_found", False)
    assert error.request_id in open_site.log()
    with pytest.raises(Refused) as refused:
        log_in(open_site.url, "nobody", PASSWORD)
    assert refused.value.code == "bad_credentials"


def test_an_upload_goes_on_over_connections_that_break_off(
    open_site: Site, ns: Client, film: Path
) -> None:
    key = ns.api_keys.make("test", ["uploads:write", "videos:read"]).key
    told: list[tuple[int, int]] = []
    with tus_clients.cutting(open_site.address, [2 * MIB, 5 * MIB, 9 * MIB]) as way:
        sender = Client(way.url, key)
        video = sender.uploads.send(film, title="A film", show=lambda *at: told.append(at))
    assert way.cut == 3
    assert way.passed_bytes < 2 * len(film.read_bytes())
    assert (video.title, video.filename, video.state) == ("A film", "the film.mp4", State.UPLOADED)
    assert source(open_site, video.id) == film.read_bytes()
    assert told[-1] == (film.stat().st_size,) * 2


def test_an_upload_goes_on_in_another_program(
    open_site: Site, ns: Client, film: Path, tmp_path: Path
) -> None:
    def interrupt(sent: int, _: int) -> None:
        if sent > 8 * MIB:
            raise KeyboardInterrupt

    key = ns.api_keys.make("test", ["uploads:write", "videos:read"]).key
    with tus_clients.cutting(open_site.address) as way:
        first = Client(way.url, key, unfinished=tmp_path / "unfinished")
        with first, pytest.raises(KeyboardInterrupt):
            first.uploads.send(film, show=interrupt)
        (begun,) = ns.videos.list(state="uploading")
        (note,) = (tmp_path / "unfinished").iterdir()
        assert note.stat().st_mode & 0o077 == 0
        with Client(way.url, key, unfinished=tmp_path / "unfinished") as second:
            assert second.uploads.send(film).id == begun.id
            assert way.passed_bytes < film.stat().st_size * 1.5  # of two uploads, 8 MiB and all of it
            assert source(open_site, begun.id) == film.read_bytes()
            assert not list((tmp_path / "unfinished").iterdir())
            assert second.uploads.send(film).id != begun.id  # what is done is not gone on with


def test_an_upload_that_expired_begins_anew_and_one_that_is_refused_is_forgotten(
    open_site: Site, ns: Client, tmp_path: Path
) -> None:
    path, folder = tmp_path / "clip.mp4", tmp_path / "unfinished"
    path.write_bytes(b"film" * MIB)
    key = ns.api_keys.make("test", ["uploads:write", "videos:read"]).key
    client = Client(open_site.url, key, unfinished=folder)

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.uploads.send(path, show=interrupt)
    (begun,) = ns.videos.list()
    ns.videos.delete(begun.id)
    assert client.uploads.send(path).id != begun.id
    path.write_bytes(b"<!DOCTYPE html><html>" + bytes(MIB))
    with pytest.raises(Refused) as refused:
        client.uploads.send(path)
    assert refused.value.code == "source_not_video"
    assert not list(folder.iterdir())


def test_lists_come_page_by_page_and_filtered(ns: Client, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"film")
    ids = [ns.uploads.send(path, title=f"Part {number}").id for number in range(5)]
    assert [video.id for video in ns.videos.list(page_size=2)] == ids[::-1]
    assert (ns.me.quota().bytes.used, ns.me.quota().uploads.allowed) == (20, None)
    assert [video.id for video in ns.videos.list(page_size=2, order="oldest")] == ids
    assert [video.title for video in ns.videos.list(text="part 3", state=State.UPLOADED)] == ["Part 3"]
    assert list(ns.videos.list(visibility="private")) == []


def test_a_change_with_an_old_etag_is_refused(ns: Client, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"film")
    seen = ns.videos.get(ns.uploads.send(path).id)
    changed = ns.videos.change(seen.id, title="New", visibility="private", if_match=seen.etag)
    assert (changed.title, changed.visibility) == ("New", Visibility.PRIVATE)
    for act in (ns.videos.change, ns.videos.delete):
        with pytest.raises(Refused) as refused:
            act(seen.id, if_match=seen.etag)
        assert (refused.value.code, refused.value.retryable) == ("precondition_failed", False)
    ns.videos.delete(seen.id, if_match=ns.videos.get(seen.id).etag)
    assert list(ns.videos.list()) == []


def test_work_can_be_stopped_and_tickets_given_and_taken_back(ns: Client, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"film")
    video = ns.uploads.send(path)
    assert ns.videos.cancel(video.id).state is State.CANCELLED
    assert ns.videos.retry(video.id).state is State.UPLOADED
    assert ns.videos.cancel(video.id).has_ended
    assert ns.videos.encode(video.id, heights=[240], crf=30, codecs=["h264"]).state is State.UPLOADED
    assert f"/v/{video.id}/master.m3u8" in ns.videos.grant(video.id, 60).hls
    ns.videos.revoke(video.id)


def test_direct_uploads_and_imports_begin_videos(open_site: Site, ns: Client, film: Path) -> None:
    order = ns.uploads.order(
        filename="theirs.mp4", title="Theirs", max_bytes=20 * MIB, encryption="aes-128"
    )
    assert Client("http://127.0.0.1:9").uploads.send_to(order.url, film) == order.video_id
    assert source(open_site, order.video_id) == film.read_bytes()
    far = ns.uploads.fetch("https://example.org/f.mp4", title="Far", visibility="private")
    assert (far.title, far.visibility) == ("Far", Visibility.PRIVATE)


def test_webhooks_are_managed(open_site: Site, ns: Client) -> None:
    made = ns.webhooks.add("http://127.0.0.1:9/hook", ["video.ready"])
    assert made.secret
    assert made.secret not in repr(made)
    assert ns.webhooks.list() == (replace(made, secret=None),)
    assert ns.webhooks.change(made.id, types=["video.*"]).types == ("video.*",)
    ns.webhooks.ping(made.id)
    webhooks.fan_out(open_site.platform)
    (delivery,) = ns.webhooks.deliveries(made.id)
    assert delivery.outcome == "waiting"
    assert ns.webhooks.replay(made.id, delivery.id).event_id == delivery.event_id
    ns.webhooks.change(made.id, active=False)
    assert not ns.webhooks.get(made.id).active
    ns.webhooks.delete(made.id)
    assert ns.webhooks.list() == ()


def test_sessions_keys_and_the_password_are_managed(open_site: Site) -> None:
    name = open_site.user().name
    ns, other = (Client.log_in(open_site.url, name, PASSWORD) for _ in range(2))
    assert [each.current for each in ns.sessions.list()].count(True) == 1
    key = ns.api_keys.make("ci", ["videos:read"], expires_in_days=1)
    assert key.key
    assert key.key not in repr(key)
    assert [each.name for each in ns.api_keys.list()] == ["ci"]
    assert Client(open_site.url, key.key).me.get().scopes == ("videos:read",)
    ns.api_keys.revoke(key.id)
    with pytest.raises(Refused):
        Client(open_site.url, key.key).me.get()
    assert ns.me.change_password(PASSWORD, "another good horse") == 2
    with pytest.raises(Refused):
        other.me.get()
    third = Client.log_in(open_site.url, name, "another good horse", scopes=["videos:read"])
    (theirs,) = (each for each in ns.sessions.list() if not each.current)
    ns.sessions.end(theirs.id)
    with pytest.raises(Refused):
        third.me.get()
    assert ns.sessions.end_all() == 1


def test_operators_see_accounts_the_audit_log_events_and_workers(open_site: Site) -> None:
    with Client(open_site.url) as guest:
        account = guest.register(f"reg-{os.urandom(4).hex()}", PASSWORD)
    ns = Client.log_in(open_site.url, open_site.user(Role.OPERATOR).name, PASSWORD)
    assert account.id in {each.id for each in ns.operators.accounts()}
    changed = ns.operators.change_account(account.id, role="viewer", disabled=True)
    assert ns.operators.account(account.id) == changed
    assert changed.disabled_at
    assert ns.operators.change_account(account.id, quotas={"quota_minutes": 90}).quota_minutes == 90
    assert ns.operators.end_sessions(account.id) == 0
    assert next(ns.operators.audit(action="auth.disabled")).subject_id == account.id
    assert next(ns.operators.audit(account=account.id)).actor_id == account.id
    assert next(ns.operators.events(key=account.id)).event.subject == account.id
    assert ns.operators.workers() == ()


def test_subtitles_come_and_go(ns: Client, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"film")
    video = ns.uploads.send(path)
    text = "1\n00:00:00,500 --> 00:00:02,000\nHallo, Größe\n"
    assert ns.subtitles.put(video.id, "de", text, purpose="captions", title="Alles").title == "Alles"
    assert "Hallo, Größe" in ns.subtitles.get(video.id, "de", purpose="captions")
    ns.subtitles.delete(video.id, "de", purpose="captions")
    with pytest.raises(Refused):
        ns.subtitles.get(video.id, "de", purpose="captions")


def test_a_server_that_is_away_is_one_error() -> None:
    with pytest.raises(Unreachable, match="can't be reached"):
        Client("http://127.0.0.1:9", "ns_key", tries=1).me.get()
