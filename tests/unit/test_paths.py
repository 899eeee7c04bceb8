import pytest

from nextstream.domain import paths
from nextstream.errors import NotFound


def test_ids_are_new_each_time_and_safe_in_urls_and_file_names() -> None:
    ids = {paths.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(one.isalnum() and one.islower() | one.isdigit() for one in ids)


@pytest.mark.parametrize(
    "name",
    ["master.m3u8", "manifest.mpd", "v1/master.m3u8", "v12/v720/00001.m4s", "v1/a-en/init.mp4"],
)
def test_public_files_lie_under_the_video(name: str) -> None:
    assert paths.public("abc", name) == f"videos/abc/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "source", "v1/../source", "../other/master.m3u8", "v1//master.m3u8", "", "/master.m3u8",
        "v1/v720/00001.m4s/..", "v1/%2e%2e/source", "v1/a/b/c/d.m4s", "v1/.hidden.m4s", "x\n.m3u8",
        "master.m3u8\n", "v1/v720/secret.txt", "v0/master.m3u8/", "source.mp4/../source",
    ],
)  # fmt: skip
def test_the_source_and_odd_names_are_not_public(name: str) -> None:
    with pytest.raises(NotFound):
        paths.public("abc", name)


def test_segments_are_numbered_so_that_they_sort() -> None:
    assert paths.segment("abc", 2, "v720", 7) == "videos/abc/v2/v720/00007.m4s"
    assert paths.init("abc", 2, "v720") == "videos/abc/v2/v720/init.mp4"


def test_types_are_those_players_expect() -> None:
    assert paths.mime_type("a/master.m3u8") == "application/vnd.apple.mpegurl"
    assert paths.mime_type("a/00001.m4s") == "video/iso.segment"
    assert paths.mime_type("a/manifest.mpd") == "application/dash+xml"


def test_only_media_never_changes() -> None:
    assert paths.is_immutable("v1/v720/00001.m4s")
    assert not paths.is_immutable("v1/v720/index.m3u8")
