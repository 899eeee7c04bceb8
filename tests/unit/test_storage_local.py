from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextstream.adapters import storage_local
from nextstream.adapters.storage_local import LocalStorage
from nextstream.errors import Misconfigured, StorageError, StorageUnavailable

TYPE = "video/mp4"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return LocalStorage.from_url(root.as_uri())


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("url", ["file://media", "file:media", "file://host/media", "file://"])
def test_a_url_without_a_whole_path_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="file:///folder"):
        LocalStorage.from_url(url)


@pytest.mark.parametrize("host", ["", "localhost"])
def test_a_url_may_have_escapes_and_name_this_machine(tmp_path: Path, host: str) -> None:
    LocalStorage.from_url(f"file://{host}{tmp_path}/my%20%23media").put("a", b"x", TYPE)
    assert (tmp_path / "my #media" / "a").read_bytes() == b"x"


def test_an_object_is_a_file_of_its_name_at_an_absolute_path(
    storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("videos/1/source", b"x", TYPE)
    assert storage.locate("videos/1/source", 60) == f"{root}/videos/1/source"
    monkeypatch.chdir(root.parent)
    assert LocalStorage(Path("media")).locate("videos/1/source", 60) == f"{root}/videos/1/source"


def test_a_failed_write_leaves_no_file(storage: LocalStorage, root: Path) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"x"
        assert len(files(root)) == 1
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        storage.write("a", blocks(), TYPE)
    assert files(root) == []


_DIE = """
import os, pathlib, signal, sys
from nextstream.adapters.storage_local import LocalStorage
def blocks():
    yield b"x" * 10_000_000
    os.kill(os.getpid(), signal.SIGKILL)
LocalStorage(pathlib.Path(sys.argv[1])).write("videos/a", blocks(), "video/mp4")
"""


def test_a_writer_that_is_killed_leaves_no_object_and_its_file_is_cleared_away(
    storage: LocalStorage, root: Path
) -> None:
    storage.put("videos/a", b"old", TYPE)
    subprocess.run([sys.executable, "-c", _DIE, root], check=False)
    assert storage.read("videos/a") == b"old"
    (left,) = set(files(root)) - {"videos/a"}
    LocalStorage.from_url(root.as_uri())
    assert left in files(root), "it could be one just begun"
    _age(root / left)
    LocalStorage.from_url(root.as_uri())
    assert files(root) == ["videos/a"]


def test_a_writer_that_waits_long_for_its_next_block_keeps_its_file(
    storage: LocalStorage, root: Path
) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"x"
        _age(root / files(root)[0])
        LocalStorage.from_url(root.as_uri())

    storage.write("a", blocks(), TYPE)
    assert storage.read("a") == b"x"


def _age(path: Path) -> None:
    long_ago_s = time.time() - 2 * storage_local.ABANDONED_S
    os.utime(path, (long_ago_s, long_ago_s))


def test_an_object_is_synced_before_its_name_and_its_name_before_the_answer(
    storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync, replace = os.fsync, Path.replace

    def note_sync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().relative_to(root.parent).parts[:3][-1])
        sync(handle)

    def note_replace(self: Path, target: Path) -> Path:
        synced.append("named")
        return replace(self, target)

    storage.put("first", b"x", TYPE)
    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    storage.put("videos/1", b"x", TYPE)
    file, *names = synced
    assert len(file) == 32
    assert names == ["media", "named", "videos"]


def test_etags_tell_writes_apart_that_the_clock_of_files_may_not(
    storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_ns = 2_000_000_000_123_456_789
    monkeypatch.setattr(time, "time_ns", lambda: written_ns)
    stored = storage.put("a", b"x", TYPE)
    assert (root / "a").stat().st_mtime_ns == written_ns
    monkeypatch.setattr(time, "time_ns", lambda: written_ns + 1)
    assert storage.put("a", b"y", TYPE).etag != stored.etag


def test_remove_takes_the_folders_it_empties_and_no_others(storage: LocalStorage, root: Path) -> None:
    for key in ("videos/1/v1/a/1", "videos/1/v1/2", "videos/2/source"):
        storage.put(key, b"x", TYPE)
    storage.remove("videos/1/")
    assert [path.name for path in (root / "videos").iterdir()] == ["2"]
    (root / ".incoming").rmdir()
    storage.remove("")
    assert root.is_dir()
    assert not (root / "videos").exists()


def test_a_folder_removed_just_before_its_file_comes_is_made_again(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, folders = Path.replace, []

    def prune_first(self: Path, target: Path) -> Path:
        if not folders:
            folders.append(target.parent)
            target.parent.rmdir()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", prune_first)
    storage.put("videos/1", b"x", TYPE)
    assert storage.read("videos/1") == b"x"


def test_an_object_that_goes_during_a_listing_is_left_out(storage: LocalStorage) -> None:
    for key in ("a", "b/1", "c"):
        storage.put(key, b"x", TYPE)
    listing = storage.list("")
    assert next(listing).key == "a"
    storage.remove("b/")
    storage.remove("c")
    assert list(listing) == []


def test_a_folder_that_may_not_be_used_is_named_with_what_to_do() -> None:
    storage = LocalStorage.from_url("file:///sys/nextstream")  # where nobody makes folders
    with pytest.raises(StorageError, match="/sys/nextstream; let the user it runs as"):
        storage.put("a", b"x", TYPE)


def test_a_full_disk_is_told_with_what_to_do_and_passes_when_there_is_room(
    storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    storage.put("a", b"x", TYPE)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageUnavailable, match="is full; make room"):
        storage.put("b", b"x", TYPE)
    assert files(root) == ["a"]


def test_a_write_that_the_system_stops_is_told_and_leaves_no_file(
    storage: LocalStorage, root: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    blocks = [bytes(2**20)] * 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (10 * 2**20, hard))
    try:
        with pytest.raises(StorageError, match=r"can't be used.*File too large"):
            storage.write("a", blocks, TYPE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(root) == []


def test_an_object_where_a_folder_would_have_to_be_is_told(storage: LocalStorage, root: Path) -> None:
    storage.put("a/b", b"x", TYPE)
    for key in ("a", "a/b/c"):
        with pytest.raises(StorageError, match="can't be used"):
            storage.put(key, b"x", TYPE)
    assert files(root) == ["a/b"]
