"""What players fetch lies apart from sources, and each process touches only what it has rights to."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextstream import wiring
from nextstream.adapters.storage_memory import MemoryStorage
from nextstream.adapters.storage_split import SplitStorage
from nextstream.domain import paths
from nextstream.errors import Misconfigured
from nextstream.settings import Settings

SOURCE, SEGMENT = paths.source("abc"), paths.segment("abc", 1, "v720", 1)


@pytest.fixture
def private() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def public() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def storage(private: MemoryStorage, public: MemoryStorage) -> SplitStorage:
    storage = SplitStorage(private, public)
    for key in (SOURCE, SEGMENT):
        storage.put(key, key.encode(), "video/mp4")
    return storage


def test_the_source_is_not_where_players_fetch(
    storage: SplitStorage, private: MemoryStorage, public: MemoryStorage
) -> None:
    assert [stored.key for stored in private.list("")] == [SOURCE]
    assert [stored.key for stored in public.list("")] == [SEGMENT]
    assert storage.read(SOURCE) == SOURCE.encode()


def test_a_video_is_listed_and_removed_as_a_whole(
    storage: SplitStorage, private: MemoryStorage, public: MemoryStorage
) -> None:
    root = f"{paths.root('abc')}/"
    assert [stored.key for stored in storage.list(root)] == [SOURCE, SEGMENT]
    assert storage.remove(root) == 2
    assert not [*private.list(""), *public.list("")]


@pytest.mark.parametrize(("prefix", "left"), [(SOURCE, SEGMENT), (f"{paths.tree('abc', 1)}/", SOURCE)])
def test_the_other_storage_is_not_asked_where_it_has_nothing(
    private: MemoryStorage, public: MemoryStorage, prefix: str, left: str
) -> None:
    for key in (SOURCE, SEGMENT):
        private.put(key, b"", "video/mp4")
        public.put(key, b"", "video/mp4")
    SplitStorage(private, public).remove(prefix)
    untouched = public if prefix == SOURCE else private
    assert [stored.key for stored in untouched.list("")] == [SOURCE, SEGMENT]


def test_a_setting_splits_the_storage(tmp_path: Path) -> None:
    place = (tmp_path / "public").as_uri()
    platform = wiring.build(Settings(data_dir=tmp_path, public_storage_url=place))
    platform.storage.put(SEGMENT, b"segment", "video/mp4")
    platform.storage.put(SOURCE, b"source", "video/mp4")
    assert (tmp_path / "public" / SEGMENT).read_bytes() == b"segment"
    assert not (tmp_path / "public" / SOURCE).exists()


def test_another_scheme_is_told_with_the_setting_it_is_from() -> None:
    with pytest.raises(Misconfigured, match="NEXTSTREAM_PUBLIC_STORAGE_URL"):
        wiring.build(Settings(public_storage_url="ftp://host"))
