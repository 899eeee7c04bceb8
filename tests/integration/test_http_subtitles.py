"""Subtitles through the API, with services mounted and proxied."""

import pytest

from tests.sites import Site, problem

SRT = "1\n00:00:01,000 --> 00:00:02,000\nGrüße <b>an</b> alle\n"


def test_subtitles_are_added_read_and_removed_by_language(site: Site) -> None:
    owner = site.user()
    address = f"/api/v1/videos/{owner.upload()}/subtitles/de"
    put = owner.put(address, data=SRT.encode(), params={"title": "Deutsch"})
    assert (put.status_code, put.json()["language"], put.json()["title"]) == (200, "de", "Deutsch")
    got = owner.get(address)
    assert got.headers["Content-Type"] == "text/vtt; charset=utf-8"
    assert "Grüße <b>an</b> alle" in got.content.decode()
    listed = owner.get(address.rpartition("/subtitles")[0]).json()["renditions"]
    assert [(each["kind"], each["language"], each["uploaded"]) for each in listed] == [
        ("text", "de", True)
    ]
    assert owner.get(address, params={"purpose": "captions"}).status_code == 404
    assert owner.delete(address).status_code == 204
    assert problem(owner.get(address))["code"] == "subtitles_not_found"


@pytest.mark.parametrize(
    ("language", "query", "body", "status", "says"),
    [
        ("nonsense!", {}, SRT, 400, "pt-BR"),
        ("de", {"purpose": "fun"}, SRT, 400, "purpose"),
        ("de", {}, "no subtitles", 422, "SRT or WebVTT"),
        ("de", {}, "x" * 1024**2 + "x", 413, ""),
    ],
)
def test_what_is_wrong_with_subtitles_is_said(
    site: Site, language: str, query: dict[str, str], body: str, status: int, says: str
) -> None:
    owner = site.user()
    address = f"/api/v1/videos/{owner.upload()}/subtitles/{language}"
    answer = owner.put(address, data=body.encode(), params=query)
    assert answer.status_code == status
    assert says in problem(answer)["detail"]


def test_subtitles_are_the_owner_s_to_change(site: Site) -> None:
    address = f"/api/v1/videos/{site.user().upload()}/subtitles/de"
    stranger, guest = site.user(), site.guest()
    assert stranger.put(address, data=SRT.encode()).status_code == 404
    assert guest.put(address, data=SRT.encode()).status_code == 401
    assert guest.delete(address).status_code == 401
