"""Subtitles of a video: out of its source or from its owner, before it is ready and after."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from nextstream import wiring
from nextstream.adapters.encoder_memory import CLIP, MemoryEncoder
from nextstream.domain.source import Purpose, TextTrack
from nextstream.domain.video import Options, State, Video
from nextstream.errors import (
    EncoderFailed,
    SubtitlesInvalid,
    SubtitlesNotFound,
    VideoNotFound,
    WrongState,
)
from nextstream.ports import Platform
from nextstream.services import encodes, library, subtitles, transcoding, uploads
from nextstream.services.subtitles import Label
from tests.unit.test_library import ADA, BOB

SRT = b"1\n00:00:01,000 --> 00:00:02,000\n<i>Hi</i> <script>\n"
ENGLISH = Label("en")
TEXTS = (
    TextTrack(2, "subrip", "eng"),
    TextTrack(3, "mov_text", "fra", "Pour sourds", Purpose.CAPTIONS),
)


@pytest.fixture
def encoder() -> MemoryEncoder:
    return MemoryEncoder(replace(CLIP, texts=TEXTS))


@pytest.fixture
def platform(encoder: MemoryEncoder) -> Platform:
    return wiring.in_memory(encoder=encoder)


def upload(platform: Platform) -> Video:
    return uploads.receive(platform, ADA, "clip.mp4", None, [b"film"], None)


def ready(platform: Platform) -> Video:
    return transcoding.run(platform, upload(platform).id, 1, slots=1)


def tracks_in(platform: Platform, video: Video) -> list[str]:
    """Give the lines of the master that name subtitles, and see that players find what they name."""
    folder = f"videos/{video.id}"
    lines = platform.storage.read(f"{folder}/master.m3u8").decode().splitlines()
    found = [line for line in lines if "TYPE=SUBTITLES" in line]
    for line in found:
        playlist = f"{folder}/{line.partition('URI=')[2].strip(chr(34))}"
        assert b"#EXT-X-ENDLIST" in platform.storage.read(playlist)
        text = platform.storage.read(playlist.replace("index.m3u8", "text.vtt"))
        assert text.startswith(b"WEBVTT\nX-TIMESTAMP-MAP")
    variants = [line for line in lines if line.startswith("#EXT-X-STREAM-INF")]
    assert [line for line in variants if 'SUBTITLES="text"' in line] == (variants if found else [])
    mpd = platform.storage.read(f"videos/{video.id}/manifest.mpd").decode()
    assert mpd.count('contentType="text"') == len(found)
    return found


def test_subtitles_of_the_source_are_published_with_language_and_purpose(platform: Platform) -> None:
    video = ready(platform)
    english, french = tracks_in(platform, video)
    assert 'LANGUAGE="en",NAME="English"' in english
    assert 'LANGUAGE="fr",NAME="Pour sourds"' in french
    assert "transcribes-spoken-dialog" in french
    assert "This is t0." in subtitles.get(platform, ADA, video.id, ENGLISH)


def test_times_count_from_the_first_frame(platform: Platform, encoder: MemoryEncoder) -> None:
    assert CLIP.video
    late = replace(CLIP.video, start_s=Fraction("0.6"), end_s=Fraction("20.6"))
    encoder.source = replace(encoder.source, video=late)
    text = subtitles.get(platform, ADA, ready(platform).id, ENGLISH)
    assert "00:00:00.400 --> 00:00:01.400" in text


def test_subtitles_that_can_not_be_had_do_not_cost_the_film(
    platform: Platform, encoder: MemoryEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(*_: object) -> None:
        tried.append(1)
        raise EncoderFailed

    monkeypatch.setattr(encoder, "extract_texts", fail)
    video = ready(platform)
    assert video.state is State.READY
    assert tracks_in(platform, video) == []
    assert len(tried) == platform.settings.piece_attempts


def test_an_owner_adds_subtitles_to_a_video_that_plays_already(platform: Platform) -> None:
    video = ready(platform)
    added = subtitles.put(platform, ADA, video.id, Label("de", title='Mein "Titel"'), SRT)
    assert (added.language, added.is_uploaded) == ("de", True)
    assert [line.split('NAME="')[1].split('"')[0] for line in tracks_in(platform, video)] == [
        "English",
        "Pour sourds",
        "Mein 'Titel'",
    ]
    text = subtitles.get(platform, ADA, video.id, Label("de"))
    assert "<i>Hi</i> &lt;script&gt;" in text


@pytest.mark.parametrize("early", [True, False])
def test_added_subtitles_take_the_place_of_the_source_s_own(platform: Platform, early: bool) -> None:
    video = upload(platform) if early else ready(platform)
    subtitles.put(platform, ADA, video.id, ENGLISH, SRT)
    if early:
        transcoding.run(platform, video.id, 1, slots=1)
    assert len(tracks_in(platform, video)) == 2
    assert "Hi" in subtitles.get(platform, ADA, video.id, ENGLISH)
    subtitles.put(platform, ADA, video.id, replace(ENGLISH, purpose=Purpose.FORCED), SRT)
    assert len(tracks_in(platform, video)) == 3


def test_removed_subtitles_leave_manifests_and_storage(platform: Platform) -> None:
    video = ready(platform)
    subtitles.put(platform, ADA, video.id, Label("de"), SRT)
    for label in (Label("de"), ENGLISH):
        subtitles.remove(platform, ADA, video.id, label)
        with pytest.raises(SubtitlesNotFound):
            subtitles.get(platform, ADA, video.id, label)
        with pytest.raises(SubtitlesNotFound):
            subtitles.remove(platform, ADA, video.id, label)
    assert len(tracks_in(platform, video)) == 1
    keys = [stored.key for stored in platform.storage.list(f"videos/{video.id}/")]
    texts = [key for key in keys if key.endswith(".vtt") and "storyboard" not in key]
    assert texts == [f"videos/{video.id}/v1/t1/text.vtt"]


def test_subtitles_that_are_removed_while_they_are_replaced_are_whole(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, german = ready(platform), Label("de")
    subtitles.put(platform, ADA, video.id, german, SRT)
    store, meanwhile = subtitles.packaging.put, [1]

    def store_and_be_overtaken(platform: Platform, key: str, body: bytes) -> None:
        store(platform, key, body)
        if meanwhile:
            meanwhile.pop()
            subtitles.remove(platform, ADA, video.id, german)

    monkeypatch.setattr(subtitles.packaging, "put", store_and_be_overtaken)
    subtitles.put(platform, ADA, video.id, german, SRT)
    assert "Hi" in subtitles.get(platform, ADA, video.id, german)
    assert len(tracks_in(platform, video)) == 3


def test_subtitles_that_are_added_anew_while_they_are_removed_are_whole(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, german = ready(platform), Label("de")
    subtitles.put(platform, ADA, video.id, german, SRT)
    remove, meanwhile = platform.storage.remove, [1]

    def be_overtaken_and_remove(prefix: str) -> int:
        if meanwhile:
            meanwhile.pop()
            subtitles.put(platform, ADA, video.id, german, SRT)
        return remove(prefix)

    monkeypatch.setattr(platform.storage, "remove", be_overtaken_and_remove)
    subtitles.remove(platform, ADA, video.id, german)
    assert "Hi" in subtitles.get(platform, ADA, video.id, german)
    assert len(tracks_in(platform, video)) == 3


def test_only_who_may_manage_a_video_touches_its_subtitles(platform: Platform) -> None:
    video = ready(platform)
    with pytest.raises(VideoNotFound):
        subtitles.put(platform, BOB, video.id, ENGLISH, SRT)
    with pytest.raises(VideoNotFound):
        subtitles.get(platform, BOB, video.id, ENGLISH)
    with pytest.raises(VideoNotFound):
        subtitles.remove(platform, BOB, video.id, ENGLISH)


def test_subtitles_that_grow_by_being_escaped_are_still_taken(platform: Platform) -> None:
    block = b"00:00:01.000 --> 00:00:02.000\n" + b"&" * 1900 + b"\n\n"
    video = ready(platform)
    subtitles.put(platform, ADA, video.id, ENGLISH, block * (1024**2 // len(block)))
    assert len(tracks_in(platform, video)) == 2


def test_what_is_no_subtitles_changes_nothing(platform: Platform) -> None:
    video = ready(platform)
    with pytest.raises(SubtitlesInvalid):
        subtitles.put(platform, ADA, video.id, ENGLISH, b"\x00\x01")
    assert library.get(platform, ADA, video.id) == video


def test_a_video_that_failed_takes_none(platform: Platform, encoder: MemoryEncoder) -> None:
    encoder.failing["probe"] = EncoderFailed()
    encoder.failing["probe"].retryable = False  # type: ignore[misc]  # this one can't be mended
    with pytest.raises(WrongState):
        subtitles.put(platform, ADA, ready(platform).id, ENGLISH, SRT)


def test_a_change_while_the_video_is_published_is_not_lost(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = upload(platform)
    write, meanwhile = transcoding.packaging.write_manifests, [1]

    def write_and_be_overtaken(*arguments: object) -> object:
        done = write(*arguments)  # type: ignore[arg-type]  # as they came
        if meanwhile:
            meanwhile.pop()
            subtitles.put(platform, ADA, video.id, Label("de"), SRT)
        return done

    monkeypatch.setattr(transcoding.packaging, "write_manifests", write_and_be_overtaken)
    done = transcoding.run(platform, video.id, 1, slots=1)
    assert done.state is State.READY
    assert len(tracks_in(platform, video)) == 3
    assert [r.name for r in done.renditions if r.is_uploaded] == ["s-de-main"]


def test_subtitles_whose_file_is_gone_do_not_cost_the_film(platform: Platform) -> None:
    video = upload(platform)
    subtitles.put(platform, ADA, video.id, Label("de"), SRT)
    platform.storage.remove(f"videos/{video.id}/subtitles/")
    assert transcoding.run(platform, video.id, 1, slots=1).state is State.READY
    assert len(tracks_in(platform, video)) == 2


def test_added_subtitles_outlive_an_encode_that_is_cancelled(platform: Platform) -> None:
    video = upload(platform)
    subtitles.put(platform, ADA, video.id, Label("de"), SRT)
    transcoding.probe(platform, video.id, 1, "w")
    encodes.cancel(platform, ADA, video.id)
    assert "Hi" in subtitles.get(platform, ADA, video.id, Label("de"))
    encodes.retry(platform, ADA, video.id)
    assert transcoding.run(platform, video.id, 2, slots=1).state is State.READY
    assert 'LANGUAGE="de"' in tracks_in(platform, video)[-1]
    library.remove(platform, ADA, video.id)
    assert not list(platform.storage.list(f"videos/{video.id}/"))


def test_added_subtitles_outlive_an_encode(platform: Platform) -> None:
    video = ready(platform)
    subtitles.put(platform, ADA, video.id, Label("de"), SRT)
    again = replace(library.get(platform, ADA, video.id), version=2)
    made = subtitles.publish(platform, again, [r for r in again.renditions if not r.is_uploaded])
    assert made[-1].name == "s-de-main"
    assert platform.storage.read(f"videos/{video.id}/v2/s-de-main/text.vtt")


def begin_anew(platform: Platform, video: Video, state: State) -> None:
    """Encode a video anew, as far as a state."""
    encodes.reencode(platform, ADA, video.id, Options())
    if state is State.ENCODING:
        transcoding.probe(platform, video.id, 2, "w")
    if state is State.CANCELLED:
        encodes.cancel(platform, ADA, video.id)


def end_anew(platform: Platform, video: Video) -> Video:
    """Do what is left of the second encode."""
    transcoding.probe(platform, video.id, 2, "w")
    plan = library.get(platform, ADA, video.id).plan
    assert plan
    for piece in plan.pieces:
        transcoding.encode(platform, video.id, 2, piece.name, "w")
    transcoding.publish(platform, video.id, 2, "w")
    return library.get(platform, ADA, video.id)


@pytest.mark.parametrize("state", [State.UPLOADED, State.ENCODING, State.CANCELLED])
def test_subtitles_of_what_plays_change_whatever_becomes_of_a_reencode(
    platform: Platform, state: State
) -> None:
    video = ready(platform)
    subtitles.put(platform, ADA, video.id, Label("de"), SRT)
    begin_anew(platform, video, state)
    assert library.get(platform, ADA, video.id).state is state
    subtitles.remove(platform, ADA, video.id, Label("de"))
    assert len(tracks_in(platform, video)) == 2
    subtitles.put(platform, ADA, video.id, Label("es"), SRT)
    assert 'LANGUAGE="es"' in tracks_in(platform, video)[-1]
    if state is not State.CANCELLED:
        assert end_anew(platform, video).public_version == 2
        assert "/v2/s-es-main/" in tracks_in(platform, video)[-1].replace('"', "/")


def test_a_change_while_a_reencode_is_published_leads_to_that(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = ready(platform)
    begin_anew(platform, video, State.ENCODING)
    note = transcoding._note_ready

    def note_overtaken(*arguments: Any) -> bool:
        current = library.get(platform, ADA, video.id)
        subtitles._rewrite(platform, current)  # as the end of a change that began before
        return note(*arguments)

    monkeypatch.setattr(transcoding, "_note_ready", note_overtaken)
    assert end_anew(platform, video).public_version == 2
    assert '"v2/' in tracks_in(platform, video)[0]
