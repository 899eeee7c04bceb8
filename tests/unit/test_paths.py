import re

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


KEYS = [
    paths.source("abc"),
    paths.partial("abc"),
    paths.uploaded_text("abc", "t0"),
    paths.segment("abc", 12, "v720", 1),
    paths.thumbs("abc", 1, "poster.jpg"),
    paths.download_index("abc", 1, "v720"),
    "videos/abc/v1/master.m3u8",
    "videos/abc/source.tail/8-00ff",
    "videos/v1/source",
]


def test_only_files_of_an_encode_are_public() -> None:
    public = [key for key in KEYS if paths.is_public(key)]
    assert public == [key for key in KEYS if re.match("videos/abc/v[0-9]", key)]


@pytest.mark.parametrize("key", KEYS)
def test_each_prefix_of_a_public_key_tells_that_there_may_be_some(key: str) -> None:
    prefixes = [key[:end] for end in range(len(key) + 1)]
    assert all(map(paths.may_be_public, prefixes)) or not paths.is_public(key)
    assert paths.may_be_public(key) == paths.is_public(key)
