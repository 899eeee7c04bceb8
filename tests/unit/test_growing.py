"""Watching while the rest is encoding, against in-memory twins."""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.encoder_memory import CLIP, MemoryEncoder
from nextstream.domain.accounts import Account, Role
from nextstream.domain.plan import Kind
from nextstream.domain.video import State, Video
from nextstream.errors import EncoderFailed, ObjectNotFound, VideoNotReady
from nextstream.ports import Platform
from nextstream.services import growing, library, playback, transcoding, uploads
from nextstream.services.growing import Playlist
from web import create_app

ADA = Account("ada", "ada", "", Role.UPLOADER, HandClock().now())


@pytest.fixture
def platform() -> Platform:
    settings = replace(wiring.in_memory().settings, chunk_s=6, worker_slots=1, heights="720,360")
    return wiring.in_memory(settings=settings, clock=HandClock())


@pytest.fixture
def video(platform: Platform) -> Video:
    """Give a video of four segments whose encode is planned."""
    made = uploads.receive(platform, ADA, "clip.mp4", None, [b"film"], None)
    transcoding.probe(platform, made.id, 1, "w")
    return library.get(platform, ADA, made.id)


@pytest.fixture
def client(platform: Platform) -> FlaskClient:
    return create_app(platform, "streaming").test_client()


def encode(platform: Platform, video: Video, *names: str) -> None:
    """Encode some pieces, and let a second pass, so that everyone looks again."""
    for name in names:
        transcoding.encode(platform, video.id, 1, name, "w")
    assert isinstance(platform.clock, HandClock)
    platform.clock.advance(1)


def text_of(platform: Platform, video: Video, name: str) -> str:
    found = playback.file(platform, video.id, name)
    if isinstance(found, Playlist):
        return found.text
    return platform.storage.read(found.key).decode()


def segments_of(platform: Platform, video: Video, name: str) -> int:
    text = text_of(platform, video, f"v1/{name}/index.m3u8")
    return sum(line.endswith(".m4s") for line in text.splitlines())


def playable_events(platform: Platform) -> int:
    with platform.database.transaction() as tx:
        return [entry.event.type for entry in tx.outbox.page(0, 100)].count("video.playable")


@pytest.mark.parametrize("last", ["video-00000", "audio-a0"])
def test_a_video_is_playable_when_every_rendition_has_its_first_segment(
    platform: Platform, video: Video, last: str
) -> None:
    first = {"video-00000": "audio-a0", "audio-a0": "video-00000"}[last]
    encode(platform, video, "video-00001", first)
    assert playable_events(platform) == 0
    with pytest.raises(VideoNotReady):
        playback.master(platform, video.id)
    encode(platform, video, last)
    found = library.get(platform, ADA, video.id)
    assert (found.state, found.playable_at is not None) == (State.ENCODING, True)
    encode(platform, video, "video-00002", "video-00003")
    assert playable_events(platform) == 1
    assert library.get(platform, ADA, video.id).playable_at == found.playable_at


def test_sound_that_is_still_encoding_is_enough_to_watch(platform: Platform, video: Video) -> None:
    """The picture waits in the middle of the sound, and is watched there."""
    encode(platform, video, "video-00000", "video-00001", "video-00002")
    seen: list[int] = []

    class Listening(MemoryEncoder):
        def encode_audio(self, *args: Any) -> Generator[bytes, None, None]:
            for block in super().encode_audio(*args):
                if library.get(platform, ADA, video.id).playable_at:
                    seen.append(segments_of(platform, video, "v720"))
                yield block

    encode(replace(platform, encoder=Listening()), video, "audio-a0")
    assert set(seen) == {1}  # later segments are noted once a second
    assert segments_of(platform, video, "v720") == segments_of(platform, video, "a0") == 3


def test_sound_that_is_begun_again_takes_nothing_back(platform: Platform, video: Video) -> None:
    encode(platform, video, "video-00000")
    heard: list[bytes] = []

    class Breaking(MemoryEncoder):
        def encode_audio(self, *args: Any) -> Generator[bytes, None, None]:
            for block in super().encode_audio(*args):
                heard.append(block)
                if len(heard) == 14:
                    raise EncoderFailed
                yield block

    with pytest.raises(EncoderFailed):
        encode(replace(platform, encoder=Breaking()), video, "audio-a0")
    assert segments_of(platform, video, "a0") == 1
    with platform.database.transaction() as tx:
        now = platform.clock.now()
        assert tx.pieces.claim(video.id, 1, "audio-a0", "w", now + timedelta(seconds=60))
    assert segments_of(platform, video, "a0") == 1


def test_playlists_grow_by_what_all_renditions_have_and_end_as_they_grew(
    platform: Platform, video: Video
) -> None:
    encode(platform, video, "audio-a0", "video-00000")
    before = {name: text_of(platform, video, f"v1/{name}/index.m3u8") for name in ("v720", "a0")}
    for name, count in [("video-00002", 1), ("video-00001", 3), ("video-00003", 4)]:
        encode(platform, video, name)
        for rendition, text in before.items():
            assert segments_of(platform, video, rendition) == count
            grown = text_of(platform, video, f"v1/{rendition}/index.m3u8")
            assert ("#EXT-X-ENDLIST" in grown) == (count == 4)
            if count < 4:
                assert grown.startswith(text)
                assert "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0\n" in grown
            before[rendition] = grown
    transcoding.publish(platform, video.id, 1, "w")
    for rendition, text in before.items():
        assert text_of(platform, video, f"v1/{rendition}/index.m3u8") == text


def test_a_master_loaded_while_encoding_leads_to_what_is_there_at_the_end(
    platform: Platform, video: Video
) -> None:
    encode(platform, video, "audio-a0", "video-00000")
    for name, prefix in (("master.m3u8", ""), ("v1/master.m3u8", "v1/")):
        text = text_of(platform, video, name)
        uris = [prefix + line for line in text.splitlines() if line.endswith("m3u8")]
        assert len(uris) == 3  # two rungs of the top size, and a smaller one
        assert all(text_of(platform, video, uri) for uri in uris)
        assert "I-FRAME" not in text
    encode(platform, video, "video-00001", "video-00002", "video-00003")
    transcoding.publish(platform, video.id, 1, "w")
    for uri in uris:
        assert platform.storage.read(f"videos/{video.id}/{uri}")
    final = text_of(platform, video, "v1/master.m3u8")
    assert set(map(identity, text.splitlines())) <= set(map(identity, final.splitlines()))


def identity(line: str) -> str:
    """Give a line of a master without its rates."""
    return line.partition("CODECS")[2] or line


def test_a_growing_playlist_tells_caches_and_players_what_to_do(
    platform: Platform, video: Video, client: FlaskClient
) -> None:
    path = f"/v/{video.id}/v1/v720/index.m3u8"
    early = client.get(path)
    assert (early.status_code, early.get_json()["code"]) == (404, "video_not_ready")
    assert int(early.headers["Retry-After"]) > 0
    encode(platform, video, "audio-a0", "video-00000")
    for url in (path, f"/v/{video.id}/master.m3u8"):
        answer, head = client.get(url), client.head(url)
        assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
        assert answer.headers["Cache-Control"] == "public, max-age=3"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert head.data == b""
        assert head.headers["Content-Length"] == str(len(answer.data))
        etag = answer.headers["ETag"]
        assert head.headers["ETag"] == etag
        assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    before = client.get(path).headers["ETag"]
    encode(platform, video, "video-00001")
    assert client.get(path, headers={"If-None-Match": before}).status_code == 200


def test_files_that_do_not_grow_are_not_ready_until_the_end(platform: Platform, video: Video) -> None:
    encode(platform, video, "audio-a0", "video-00000")
    for name in ("manifest.mpd", "v1/v720/iframes.m3u8", "v1/v999/index.m3u8", "v2/v720/index.m3u8"):
        with pytest.raises(VideoNotReady):
            playback.file(platform, video.id, name)


def test_rows_are_read_once_a_second_for_all_who_watch(platform: Platform, video: Video) -> None:
    encode(platform, video, "audio-a0", "video-00000")
    assert segments_of(platform, video, "v720") == 1
    transcoding.encode(platform, video.id, 1, "video-00001", "w")
    assert segments_of(platform, video, "v720") == 1
    encode(platform, video)
    assert segments_of(platform, video, "v720") == 2


def test_a_video_that_becomes_playable_can_be_played_at_once(platform: Platform, video: Video) -> None:
    encode(platform, video, "audio-a0")
    with pytest.raises(VideoNotReady):
        playback.master(platform, video.id)
    transcoding.encode(platform, video.id, 1, "video-00000", "w")
    assert library.get(platform, ADA, video.id).playable_at
    assert playback.master(platform, video.id)


@pytest.mark.parametrize("name", ["master.m3u8", "manifest.mpd", "v1/v720/index.m3u8"])
def test_a_list_is_there_also_while_the_encode_ends(platform: Platform, video: Video, name: str) -> None:
    assert video.plan
    encode(platform, video, *(piece.name for piece in video.plan.pieces))

    class Overtaken(type(platform.storage)):  # type: ignore[misc]  # the twin's own class, at run time
        def head(self, key: str) -> object:
            """Find nothing yet, and let the encode end at that moment."""
            self.__class__ = Overtaken.__base__
            transcoding.publish(platform, video.id, 1, "w")
            raise ObjectNotFound

    platform.storage.__class__ = Overtaken
    assert text_of(platform, video, name)


def test_a_failed_video_is_not_played_on(platform: Platform, video: Video) -> None:
    encode(platform, video, "audio-a0", "video-00000")
    failing = MemoryEncoder()
    for _ in range(platform.settings.piece_attempts):
        failing.failing["video-00001"] = EncoderFailed()
        try:
            encode(replace(platform, encoder=failing), video, "video-00001")
        except EncoderFailed:
            continue
    assert library.get(platform, ADA, video.id).state is State.FAILED
    assert growing.playlist(platform, video.id, "master.m3u8") is None


def test_pieces_that_end_at_once_make_a_video_playable_once(platform: Platform, video: Video) -> None:
    encode(platform, video, "video-00000")
    with platform.database.transaction() as tx:
        made = tx.pieces.made(video.id, 1, ["video-00000"])
        now = platform.clock.now()
        task = tx.pieces.claim(video.id, 1, "audio-a0", "w", now + timedelta(seconds=60))
        assert task
        tx.pieces.finish(task, [replace(made[0], name="a0", width=0, height=0)])
    start = threading.Barrier(8)

    def note(_: int) -> None:
        start.wait(10)
        growing.note_playable(platform, video)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(8)))
    assert playable_events(platform) == 1


def test_sound_alone_can_be_heard_while_it_is_encoding() -> None:
    platform = wiring.in_memory(encoder=MemoryEncoder(replace(CLIP, video=None)), clock=HandClock())
    video = uploads.receive(platform, ADA, "song.mp3", None, [b"song"], None)
    (piece,) = transcoding.probe(platform, video.id, 1, "w")
    assert piece.kind is Kind.AUDIO
    encode(platform, video, piece.name)
    assert "v1/a0/index.m3u8" in playback.master(platform, video.id).text
