"""Subtitles of a video: taken out of its source, or added by a user at any time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from nextstream.domain import captions, hls, labels, lifecycle, paths
from nextstream.domain.access import Action
from nextstream.domain.accounts import Account
from nextstream.domain.plan import Plan
from nextstream.domain.source import Purpose
from nextstream.domain.video import TEXT_CODEC, Rendition, Segment, Video
from nextstream.errors import ObjectNotFound, SubtitlesInvalid, SubtitlesNotFound, WrongState
from nextstream.ports import EncodedPiece, Platform, Task
from nextstream.services import events, library, packaging

log = structlog.get_logger()

TIMESCALE = 1000
UPLOADS_MAX = 100  # of one video


@dataclass(frozen=True)
class Label:
    """What tells subtitles of a video apart: their language, as a tag of RFC 5646, and their purpose."""

    language: str
    purpose: Purpose = Purpose.MAIN
    title: str | None = None

    @property
    def name(self) -> str:
        """Give the name of their rendition, and so of their folder."""
        return f"s-{self.language.lower()}-{self.purpose}"

    def fits(self, rendition: Rendition) -> bool:
        """Tell whether a rendition is of this language and purpose."""
        language = labels.language(rendition.language)
        return rendition.is_text and (language, rendition.purpose) == (self.language, self.purpose)


def label_of(rendition: Rendition) -> Label:
    """Give what tells subtitles apart from the others of their video."""
    return Label(labels.language(rendition.language), rendition.purpose)


def extract(
    platform: Platform, video: Video, task: Task, made: Sequence[EncodedPiece]
) -> list[Rendition]:
    """Store what was taken out of a source; subtitles that hold nothing are left out."""
    plan = _plan_of(video)
    found = []
    for text in plan.texts:
        data = next((piece.data for piece in made if piece.name == text.name), b"")
        try:
            cues = captions.read(data, captions.MAX_TAKEN_BYTES)
            cues = captions.shift(cues, -plan.origin_s, plan.duration_s)
        except SubtitlesInvalid:
            log.info("subtitles left out", video_id=task.video_id, name=text.name)
            continue
        about = Rendition(text.name, TEXT_CODEC, TIMESCALE, "", (), language=text.language)
        about = replace(about, title=text.title, purpose=text.purpose)
        found.append(_store(platform, video, about, captions.write(cues).encode()))
    return found


def publish(platform: Platform, video: Video, made: Sequence[Rendition]) -> list[Rendition]:
    """Store what users added among the files of this encode, and give it with what was made.

    It takes the place of subtitles from the source of the same language and purpose. May run twice.
    """
    added = list(_store_uploaded(platform, video))
    kept = [
        each
        for each in made
        if not (each.is_uploaded or any(label_of(text).fits(each) for text in added))
    ]
    return kept + added


def _store_uploaded(platform: Platform, video: Video) -> Iterator[Rendition]:
    for text in uploaded(video):
        try:
            body = platform.storage.read(paths.uploaded_text(video.id, text.name))
        except ObjectNotFound:  # somebody removed it from the storage
            log.warning("subtitles left out", video_id=video.id, name=text.name)
            continue
        yield _store(platform, video, text, body)


def uploaded(video: Video) -> tuple[Rendition, ...]:
    """Give the subtitles that users added."""
    return tuple(each for each in video.renditions if each.is_uploaded)


def put(platform: Platform, account: Account, video_id: str, label: Label, data: bytes) -> Rendition:
    """Add subtitles to a video, in place of those of the same language and purpose.

    Raises VideoNotFound, WrongState after the video failed and nothing plays, and SubtitlesInvalid.
    """
    video = library.get(platform, account, video_id, Action.CHANGE_VIDEO)
    if video.state in lifecycle.ENDED and video.public_version is None:
        raise WrongState
    if len([each for each in uploaded(video) if not label.fits(each)]) >= UPLOADS_MAX:
        raise SubtitlesInvalid(f"The video has {UPLOADS_MAX} subtitles; remove some first.")
    text = captions.write(captions.read(data, language=label.language)).encode()
    packaging.put(platform, paths.uploaded_text(video.id, label.name), text)
    added = Rendition(
        label.name,
        TEXT_CODEC,
        TIMESCALE,
        "",
        (),
        language=label.language,
        title=label.title,
        purpose=label.purpose,
        is_uploaded=True,
    )
    _change(platform, account, video_id, label, added, text)
    return added


def get(platform: Platform, account: Account, video_id: str, label: Label) -> str:
    """Give subtitles as WebVTT; raises VideoNotFound and SubtitlesNotFound."""
    video = library.get(platform, account, video_id)
    found = next((each for each in video.renditions if label.fits(each)), None)
    if found is None:
        raise SubtitlesNotFound
    if found.is_uploaded:
        key = paths.uploaded_text(video.id, found.name)
    else:
        key = paths.text(video.id, video.shown_version, found.name)
    return platform.storage.read(key).decode()


def remove(platform: Platform, account: Account, video_id: str, label: Label) -> None:
    """Remove subtitles of a language and purpose; raises VideoNotFound and SubtitlesNotFound."""
    video = library.get(platform, account, video_id, Action.CHANGE_VIDEO)
    if not any(map(label.fits, video.renditions)):
        raise SubtitlesNotFound
    _change(platform, account, video_id, label, None)
    for gone in filter(label.fits, video.renditions):
        platform.storage.remove(f"{paths.tree(video.id, video.shown_version)}/{gone.name}/")
    # Somebody may have added them anew meanwhile, or be about to; who does so waits for this.
    with library.changing(platform, account, video_id) as (_, seen):
        is_there = any(map(label.fits, uploaded(seen)))
        if not is_there:
            platform.storage.remove(paths.uploaded_text(video.id, label.name))
    if is_there:
        _rewrite(platform, seen)


def _change(
    platform: Platform,
    account: Account,
    video_id: str,
    label: Label,
    added: Rendition | None,
    text: bytes = b"",
) -> None:
    """Note what subtitles there are, and write the manifests of what plays anew."""
    with library.changing(platform, account, video_id) as (tx, seen):
        others = tuple(each for each in seen.renditions if not label.fits(each))
        video = tx.videos.save(replace(seen, renditions=(*others, *([added] if added else []))))
        facts = {"language": label.language, "purpose": label.purpose, "by": account.id}
        tx.outbox.add(events.about(platform, video, "video.subtitles", there=bool(added), **facts))
        key = paths.uploaded_text(video.id, label.name)
        if added and not _is_stored(platform, key):  # somebody removed it in between
            packaging.put(platform, key, text)
    _rewrite(platform, video)
    log.info("subtitles changed", video_id=video_id, there=bool(added), **facts)


def _is_stored(platform: Platform, key: str) -> bool:
    try:
        platform.storage.head(key)
    except ObjectNotFound:
        return False
    return True


def _rewrite(platform: Platform, video: Video) -> None:
    """Write manifests until they say what the video's row does: another change may come between.

    They are those of the public encode, whatever becomes of the next one, which may be publishing.
    """
    while video.public_version is not None:
        shown = replace(video, version=video.public_version)
        packaging.write_manifests(platform, shown, publish(platform, shown, video.renditions))
        with platform.database.transaction() as tx:
            now = tx.videos.get(video.id)
        if (now.renditions, now.public_version) == (video.renditions, video.public_version):
            return
        video = now


def _store(platform: Platform, video: Video, about: Rendition, body: bytes) -> Rendition:
    """Store one file that covers the whole video (HLS Authoring Specification 5.5), and its playlist."""
    segment = Segment(1, round(_plan_of(video).duration_s * TIMESCALE), len(body))
    stored = replace(about, segments=(segment,))
    key = paths.text(video.id, video.version, about.name)
    packaging.put(platform, key, body)
    playlist = f"{paths.tree(video.id, video.version)}/{about.name}/{paths.PLAYLIST}"
    packaging.put(platform, playlist, hls.text(stored).encode())
    return stored


def _plan_of(video: Video) -> Plan:
    assert video.plan is not None  # noqa: S101  a video with pieces has one
    return video.plan
