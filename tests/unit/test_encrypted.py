"""Encrypted videos, from upload to playback, against in-memory twins."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from nextstream import wiring
from nextstream.domain import encryption, paths
from nextstream.domain.accounts import Account, Role
from nextstream.domain.video import Encryption, Options, State, Video, Visibility, Wishes
from nextstream.ports import Platform
from nextstream.services import encodes, library, rights, transcoding, uploads
from web import create_app

AES = Wishes(options=Options(encryption=Encryption.AES_128))
PLAIN = Wishes()


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setattr(rights, "KNOWN_S", 0.0)  # changes are seen at once
    return wiring.in_memory()


@pytest.fixture
def client(platform: Platform) -> FlaskClient:
    return create_app(platform, "streaming").test_client()


def owner(platform: Platform) -> Account:
    return Account("ada", "ada", "", Role.UPLOADER, platform.clock.now())


def upload(platform: Platform, wishes: Wishes) -> Video:
    made = uploads.receive(platform, owner(platform), "c.mp4", None, [b"film"], None, None, wishes)
    return transcoding.run(platform, made.id, 1, slots=2)


def files(platform: Platform, video: Video) -> dict[str, bytes]:
    root = f"{paths.root(video.id)}/"
    stored = platform.storage.list(root)
    return {each.key.removeprefix(root): platform.storage.read(each.key) for each in stored}


def key_of(platform: Platform, video: Video, version: int) -> bytes:
    return encryption.unseal(video.keys[version], platform.settings.secret_key)


def test_segments_alone_are_encrypted_and_decrypt_to_what_they_were(platform: Platform) -> None:
    plain, video = (upload(platform, wishes) for wishes in (PLAIN, AES))
    key, before, after = key_of(platform, video, 1), files(platform, plain), files(platform, video)
    segments = [name for name in before if name.endswith(".m4s")]
    for name in segments:
        number = int(name.rpartition("/")[2].partition(".")[0])
        assert after[name] == encryption.encrypt(before[name], key, number)
    clear = [name for name in before if name.endswith((".mp4", ".jpg", ".vtt"))]
    assert all(after[name] == before[name] for name in clear)
    assert len(clear) > 5
    assert key not in b"".join(after.values())


def test_playlists_name_the_key_behind_the_map_and_no_keyframes(platform: Platform) -> None:
    video = upload(platform, AES)
    found = files(platform, video)
    for name in ("v720", "a0"):
        lines = found[f"v1/{name}/index.m3u8"].decode().splitlines()
        at = lines.index('#EXT-X-KEY:METHOD=AES-128,URI="../key"')
        assert lines[at - 1] == '#EXT-X-MAP:URI="init.mp4"'
    assert not [name for name in found if name.endswith(("iframes.m3u8", ".mpd"))]
    assert b"I-FRAME" not in found["master.m3u8"] + found["v1/master.m3u8"]


def test_playlists_that_grow_name_the_key_too(platform: Platform, client: FlaskClient) -> None:
    account = owner(platform)
    video = uploads.receive(platform, account, "c.mp4", None, [b"film"], None, None, AES)
    for piece in transcoding.probe(platform, video.id, 1, "w")[:2]:
        transcoding.encode(platform, video.id, 1, piece.name, "w")
    text = client.get(f"/v/{video.id}/v1/v720/index.m3u8").text
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in text
    assert 'METHOD=AES-128,URI="../key"' in text
    answer = client.get(f"/v/{video.id}/v1/key")
    assert answer.data == key_of(platform, library.get(platform, account, video.id), 1)


def test_bandwidth_counts_the_bytes_that_are_sent(platform: Platform) -> None:
    video = upload(platform, AES)
    found, low = files(platform, video), next(r for r in video.renditions if r.name == "v240")
    sent = sum(len(body) for name, body in found.items() if name.startswith("v1/v240/0"))
    sent += sum(len(body) for name, body in found.items() if name.startswith("v1/a0/0"))
    lines = found["master.m3u8"].decode().splitlines()
    stated = lines[lines.index("v1/v240/index.m3u8") - 1].partition("AVERAGE-BANDWIDTH=")[2]
    assert int(stated.partition(",")[0]) >= int(8 * sent / max(20.0, float(low.duration_s)) * 0.99)
    plain = upload(platform, PLAIN)
    other = files(platform, plain)["master.m3u8"].decode().splitlines()
    assert stated != other[other.index("v1/v240/index.m3u8") - 1].partition("AVERAGE-BANDWIDTH=")[2]


def test_a_piece_that_is_encoded_again_is_stored_with_the_same_bytes(platform: Platform) -> None:
    video = upload(platform, AES)
    before = files(platform, video)
    with platform.database.transaction() as tx:
        tx.videos.save(replace(video, state=State.ENCODING))
        tasks = {task.piece.name: task for task in tx.pieces.list(video.id, 1)}
        pieces = [task.piece for name, task in tasks.items() if name.startswith(("video", "audio"))]
        tx.pieces.remove(video.id, 1)
        tx.pieces.add(video.id, 1, pieces)
    platform.storage.remove(f"{paths.tree(video.id, 1)}/v720/0")
    for piece in pieces:
        transcoding.encode(platform, video.id, 1, piece.name, "w")
    after = files(platform, video)
    segments = [name for name in before if name.endswith(".m4s")]
    assert {name: after[name] for name in segments} == {name: before[name] for name in segments}


def test_downloads_and_thumbnails_are_in_the_clear(platform: Platform, client: FlaskClient) -> None:
    plain, video = (upload(platform, wishes) for wishes in (PLAIN, AES))
    for name in ("download/v720.mp4", "download/a0.m4a", "thumbnail.jpg?time=7.3"):
        whole = client.get(f"/v/{plain.id}/{name}")
        assert whole.status_code == 200
        assert client.get(f"/v/{video.id}/{name}").data == whole.data
    part = client.get(f"/v/{video.id}/download/v720.mp4", headers={"Range": "bytes=20001-77777"})
    assert part.data == client.get(f"/v/{plain.id}/download/v720.mp4").data[20001:77778]


def test_the_key_is_for_who_may_play_and_nobody_keeps_it(
    platform: Platform, client: FlaskClient
) -> None:
    video = upload(platform, AES)
    answer = client.get(f"/v/{video.id}/v1/key")
    assert (answer.status_code, answer.data) == (200, key_of(platform, video, 1))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    library.change(platform, owner(platform), video.id, {"visibility": Visibility.PRIVATE}, None, None)
    assert client.get(f"/v/{video.id}/v1/key").status_code == 404
    ticket = rights.grant(platform, owner(platform), video.id, 60).word
    assert client.get(f"/p/{ticket}/v/{video.id}/v1/key").data == answer.data
    assert client.get(f"/p/{ticket}/v/{video.id}/v2/key").status_code == 404


def test_a_video_in_the_clear_has_no_key(platform: Platform, client: FlaskClient) -> None:
    video = upload(platform, PLAIN)
    assert client.get(f"/v/{video.id}/v1/key").status_code == 404
    assert b"EXT-X-KEY" not in files(platform, video)["v1/v720/index.m3u8"]


def test_dash_is_told_that_it_cannot_play_it(platform: Platform, client: FlaskClient) -> None:
    video = upload(platform, AES)
    answer = client.get(f"/v/{video.id}/manifest.mpd")
    assert (answer.status_code, answer.json["code"]) == (404, "no_dash")
    assert "master.m3u8" in answer.json["detail"]


def test_a_reencode_has_a_key_of_its_own_and_the_old_one_stays(platform: Platform) -> None:
    first = upload(platform, AES)
    encodes.reencode(platform, owner(platform), first.id, Options(encryption=Encryption.AES_128))
    again = transcoding.run(platform, first.id, 2, slots=2)
    assert key_of(platform, again, 1) == key_of(platform, first, 1) != key_of(platform, again, 2)


def test_a_reencode_may_encrypt_what_was_not(platform: Platform, client: FlaskClient) -> None:
    video = upload(platform, PLAIN)
    assert client.get(f"/v/{video.id}/manifest.mpd").status_code == 200
    encodes.reencode(platform, owner(platform), video.id, Options(encryption=Encryption.AES_128))
    assert client.get(f"/v/{video.id}/manifest.mpd").status_code == 200  # the old one plays still
    assert transcoding.run(platform, video.id, 2, slots=2).encryption is Encryption.AES_128
    assert client.get(f"/v/{video.id}/manifest.mpd").json["code"] == "no_dash"


def test_the_setting_decides_where_an_upload_does_not(platform: Platform) -> None:
    settings = replace(platform.settings, encryption="aes-128")
    platform = replace(platform, settings=settings)
    none = Wishes(options=Options(encryption=Encryption.NONE))
    chosen = [upload(platform, wishes).encryption for wishes in (PLAIN, none)]
    assert chosen == [Encryption.AES_128, Encryption.NONE]


def test_a_key_sealed_by_another_secret_is_told(platform: Platform) -> None:
    video = upload(platform, AES)
    settings = replace(platform.settings, secret_key="another-secret-of-32-characters!")
    client = create_app(replace(platform, settings=settings), "streaming").test_client()
    answer = client.get(f"/v/{video.id}/v1/key")
    assert (answer.status_code, answer.json["code"]) == (500, "key_unreadable")
