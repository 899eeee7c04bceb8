"""Who may play what, through the gateway."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from tests.sites import Client, Site, problem

BODY = bytes(range(256)) * 64
FILES = ("master.m3u8", "manifest.mpd", "v1/v720/index.m3u8", "v1/v720/init.mp4", "v1/v720/00001.m4s")
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1280x720\nv1/v720/index.m3u8\n"
SEEN_AFTER_S = 1.2  # rights are remembered for a second


@dataclass
class Film:
    """A private video with its files, and its owner."""

    id: str
    owner: Client

    def ticket(self, **wish: object) -> str:
        answer = self.owner.post(f"/api/v1/videos/{self.id}/playback", json=wish)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["hls"]).split("/p/")[1].split("/")[0]

    def change(self, **wish: object) -> None:
        assert self.owner.patch(f"/api/v1/videos/{self.id}", json=wish).status_code == 200


@pytest.fixture
def film(site: Site) -> Film:
    owner = site.user()
    found = Film(owner.upload(), owner)
    for name in FILES:
        body = MASTER if name == "master.m3u8" else BODY
        site.platform.storage.put(f"videos/{found.id}/{name}", body, "text/plain")
    found.change(visibility="private")
    return found


def statuses(client: Client, prefix: str, film: Film) -> list[int]:
    return [client.get(f"{prefix}/v/{film.id}/{name}").status_code for name in FILES]


def test_a_private_video_is_not_there_for_strangers(site: Site, film: Film) -> None:
    assert statuses(site.guest(), "", film) == [404] * len(FILES)
    answer = site.user().get(f"/v/{film.id}/master.m3u8")
    assert problem(answer)["code"] == "video_not_found"


def test_a_ticket_in_the_path_opens_every_file_of_its_video(site: Site, film: Film) -> None:
    guest, prefix = site.guest(), f"/p/{film.ticket()}"
    assert statuses(guest, prefix, film) == [200] * len(FILES)
    path = f"{prefix}/v/{film.id}/v1/v720/00001.m4s"
    part = guest.get(path, headers={"Range": "bytes=256-511"})
    assert (part.status_code, part.content) == (206, BODY[256:512])
    assert part.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert guest.head(path).headers["Content-Length"] == str(len(BODY))
    assert part.headers["Access-Control-Allow-Origin"] == "*"


def test_playlists_are_the_same_for_every_viewer(site: Site, film: Film) -> None:
    guest = site.guest()
    texts = {guest.get(f"/p/{film.ticket()}/v/{film.id}/master.m3u8").text for _ in range(2)}
    assert texts == {MASTER.decode()}


def test_a_ticket_opens_no_other_video_and_no_source(site: Site, film: Film) -> None:
    ticket, other = film.ticket(), site.user().upload()
    guest = site.guest()
    assert guest.get(f"/p/{ticket}/v/{other}/master.m3u8").status_code == 403
    assert guest.get(f"/p/{ticket}/v/{film.id}/source").status_code == 404
    forged = guest.get(f"/p/{ticket[:-3]}abc/v/{film.id}/master.m3u8")
    assert (forged.status_code, problem(forged)["code"]) == (403, "ticket_refused")


def test_a_revoked_ticket_opens_nothing(site: Site, film: Film) -> None:
    prefix = f"/p/{film.ticket()}"
    assert film.owner.delete(f"/api/v1/videos/{film.id}/playback").status_code == 204
    time.sleep(SEEN_AFTER_S)
    assert statuses(site.guest(), prefix, film) == [403] * len(FILES)


def test_a_cookie_is_as_good_as_a_ticket_in_the_path(site: Site, film: Film) -> None:
    film.ticket(cookie=True)
    [cookie] = [c for c in film.owner.session.cookies if c.name == "ns_ticket"]
    assert (cookie.path, cookie.has_nonstandard_attr("HttpOnly")) == (f"/v/{film.id}", True)
    guest = site.guest()
    guest.session.cookies.set_cookie(cookie)
    assert statuses(guest, "", film) == [200] * len(FILES)


def test_visibility_closes_and_opens_a_video(site: Site, film: Film) -> None:
    guest = site.guest()
    film.change(visibility="public")
    assert statuses(guest, "", film) == [200] * len(FILES)
    whole = guest.get(f"/v/{film.id}/v1/v720/00001.m4s")
    assert whole.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    film.change(visibility="private")
    time.sleep(SEEN_AFTER_S)
    assert statuses(guest, "", film) == [404] * len(FILES)


def test_only_the_owner_gives_tickets(site: Site, film: Film) -> None:
    path = f"/api/v1/videos/{film.id}/playback"
    assert site.guest().post(path, json={}).status_code == 401
    assert site.user().post(path, json={}).status_code == 404
    assert site.user().delete(path).status_code == 404
    assert film.owner.post(path, json={"lifetime_s": 5}).status_code == 400


def test_no_ticket_is_in_the_logs(site: Site, film: Film) -> None:
    ticket = film.ticket()
    site.guest().get(f"/p/{ticket}/v/{film.id}/nothing.m4s")
    site.guest().get(f"/p/{ticket}x/v/{film.id}/master.m3u8")
    assert ticket not in site.log()


def test_a_change_names_the_etag_it_was_made_from(site: Site, film: Film) -> None:
    path = f"/api/v1/videos/{film.id}"
    etag = film.owner.get(path).headers["ETag"]
    first = film.owner.patch(path, json={"title": "First"}, headers={"If-Match": etag})
    assert (first.status_code, first.json()["title"]) == (200, "First")
    second = film.owner.patch(path, json={"title": "Second"}, headers={"If-Match": etag})
    assert (second.status_code, problem(second)["code"]) == (412, "precondition_failed")
    assert film.owner.delete(path, headers={"If-Match": etag}).status_code == 412
    assert film.owner.delete(path, headers={"If-Match": first.headers["ETag"]}).status_code == 204


@pytest.mark.parametrize("wish", [{"title": ""}, {"visibility": "secret"}, {"state": "ready"}, []])
def test_a_change_that_makes_no_sense_is_told(film: Film, wish: object) -> None:
    assert film.owner.patch(f"/api/v1/videos/{film.id}", json=wish).status_code == 400


def test_a_list_may_be_filtered_and_sorted(site: Site, film: Film) -> None:
    film.owner.patch(f"/api/v1/videos/{film.id}", json={"title": "Zebra"})
    other = film.owner.upload(name="apple.mp4")

    def ids(query: str) -> list[str]:
        items = film.owner.get(f"/api/v1/videos?{query}").json()["items"]
        return [item["id"] for item in items]

    assert ids("order=title") == [other, film.id]
    assert ids("visibility=private") == ids("text=zeb") == [film.id]
    assert ids("state=ready") == []
    assert film.owner.get("/api/v1/videos?order=random").status_code == 400
