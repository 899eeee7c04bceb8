"""The JSON that the API gives for our values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import cast

from nextstream.domain import paths
from nextstream.domain.source import AudioTrack, Caution, SourceInfo, TextTrack, VideoTrack
from nextstream.domain.video import Encryption, Failure, Rendition, State, Video
from nextstream.domain.webhooks import Delivery, Outcome, Webhook
from nextstream.ports import OutboxEntry, Worker
from nextstream.services.lag import Lags
from nextstream.services.progress import Progress
from nextstream.services.rights import Grant
from web import shapes


def video(
    found: Video,
    base_url: str,
    progress: Progress | None = None,
    downloads: Sequence[Rendition] = (),
) -> shapes.Video:
    """Describe a video; its URLs are good from its creation on, and answer once it is playable."""
    return {
        "id": found.id,
        "title": found.title,
        "filename": found.filename,
        "state": found.state,
        "visibility": found.visibility,
        "playable": is_playable(found),
        "playable_at": found.playable_at.isoformat() if found.playable_at else None,
        "version": found.version,
        "public_version": found.public_version,
        "priority": found.priority,
        "encryption": found.encryption,
        "size_bytes": found.size_bytes,
        "created_at": found.created_at.isoformat(),
        "times": {state: at.isoformat() for state, at in found.state_times.items()},
        "playback": {**_playback(found, base_url), **_pictures(found, base_url)},
        "progress": _progress(progress) if progress else None,
        "source": _source(found.source) if found.source else None,
        "renditions": [_rendition(each) for each in found.renditions],
        "downloads": [_download(found, each, base_url) for each in downloads],
        "failure": _failure(found.failure) if found.failure else None,
    }


def worker(found: Worker) -> shapes.Worker:
    """Describe a worker to an operator."""
    return {
        "name": found.name,
        "slots": found.slots,
        "seen_at": found.seen_at.isoformat(),
        "draining": found.draining,
    }


def grant(granted: Grant, base_url: str) -> shapes.Playback:
    """Describe a link to play by, with its end."""
    urls = _playback(granted.video, f"{base_url}/p/{granted.word}")
    return {"hls": urls["hls"], "dash": urls["dash"], "expires_at": granted.expires_at.isoformat()}


def webhook(found: Webhook) -> shapes.Webhook:
    """Describe a webhook, without its secret."""
    return {
        "id": found.id,
        "owner_id": found.owner_id,
        "url": found.url,
        "types": list(found.types),
        "active": found.active,
        "created_at": found.created_at.isoformat(),
    }


def delivery(found: Delivery) -> shapes.Delivery:
    """Describe how an event got, or didn't get, to a webhook."""
    waits = found.outcome is Outcome.WAITING
    return {
        "id": found.id,
        "event_id": found.event_id,
        "event_type": found.event_type,
        "created_at": found.created_at.isoformat(),
        "outcome": found.outcome,
        "attempt": found.attempt,
        "status": found.status,
        "error": found.error,
        "due_at": found.due_at.isoformat() if waits else None,
    }


def is_playable(found: Video) -> bool:
    """Tell whether players can begin with a video."""
    encoding = found.state is State.ENCODING and found.playable_at is not None
    return encoding or found.public_version is not None


def event(entry: OutboxEntry) -> shapes.EventEntry:
    """Describe an event to an operator, with its place in the order of all."""
    return {"place": entry.place, "sent": entry.sent, "event": cast(shapes.Event, entry.event.body())}


def lags(found: Lags) -> shapes.Lags:
    """Describe what waits to be told to other systems."""
    return cast(shapes.Lags, asdict(found))


def _playback(found: Video, base_url: str) -> shapes.Players:
    """Give the addresses players begin with; DASH has no AES-128, so an encrypted video isn't there."""
    has_dash = found.encryption is Encryption.NONE
    return {
        "hls": f"{base_url}/v/{found.id}/{paths.MASTER}",
        "dash": f"{base_url}/v/{found.id}/{paths.MANIFEST}" if has_dash else None,
        "page": f"{base_url}/watch/{found.id}",
    }


def _pictures(found: Video, base_url: str) -> shapes.Pictures:
    """Give the addresses of still pictures, where there are or may be some."""
    at, has_picture = f"{base_url}/v/{found.id}", bool(found.plan and found.plan.rungs)
    has_previews = bool(found.renditions and found.plan and found.plan.tile_frames)
    return {
        "poster": f"{at}/{paths.POSTER}" if has_previews else None,
        "storyboard": f"{at}/{paths.STORYBOARD}" if has_previews else None,
        "storyboard_json": f"{at}/{paths.STORYBOARD_JSON}" if has_previews else None,
        "thumbnail": f"{at}/thumbnail.jpg" if has_picture else None,
    }


def _progress(progress: Progress) -> shapes.Progress:
    return {
        "frames_done": progress.frames_done,
        "frames_planned": progress.frames_planned,
        "percent": progress.percent,
        "fps": progress.fps,
        "eta_s": progress.eta_s,
        "rungs": [
            {
                "name": rung.name,
                "height": rung.height,
                "frames_done": rung.frames_done,
                "frames_planned": rung.frames_planned,
            }
            for rung in progress.rungs
        ],
    }


def _source(source: SourceInfo) -> shapes.Source:
    return {
        "format": source.format,
        "duration_s": round(float(source.duration_s), 3),
        "warnings": [_caution(each) for each in source.warnings],
        "video": _picture(source.video) if source.video else None,
        "audio": [
            {"codec": each.codec, "channels": each.channels, **_track(each)} for each in source.audio
        ],
        "subtitles": [{"codec": each.codec, **_track(each)} for each in source.texts],
        "chapters": [
            {
                "start_s": round(float(each.start_s), 3),
                "end_s": round(float(each.end_s), 3),
                "title": each.title,
            }
            for each in source.chapters
        ],
    }


def _picture(track: VideoTrack) -> shapes.Picture:
    return {
        "codec": track.codec,
        "width": track.width,
        "height": track.height,
        "fps": round(float(track.rate), 3),
    }


def _track(found: AudioTrack | TextTrack | Rendition) -> shapes.Track:
    return {"language": found.language, "title": found.title, "purpose": found.purpose}


def subtitles(found: Rendition) -> shapes.Subtitles:
    """Describe subtitles that a video has."""
    return {"name": found.name, "kind": "text", **_track(found), "uploaded": found.is_uploaded}


def _caution(caution: Caution) -> shapes.Caution:
    lost_s = caution.lost_s
    return {
        "code": caution.code,
        "message": caution.message,
        "lost_s": None if lost_s is None else round(float(lost_s), 3),
    }


def _rendition(rendition: Rendition) -> shapes.Rendition:
    if rendition.is_text:
        return subtitles(rendition)
    return _rung(rendition) if rendition.is_video else _sound(rendition)


def _rung(rendition: Rendition) -> shapes.Rung:
    return {
        "name": rendition.name,
        "kind": "video",
        **_weight(rendition),
        "width": rendition.width,
        "height": rendition.height,
    }


def _sound(rendition: Rendition) -> shapes.Sound:
    return {
        "name": rendition.name,
        "kind": "audio",
        **_weight(rendition),
        "channels": rendition.channels,
        **_track(rendition),
    }


def _weight(rendition: Rendition) -> shapes.Weight:
    return {
        "codec": rendition.codec,
        "duration_s": round(float(rendition.duration_s), 3),
        "size_bytes": rendition.size_bytes,
    }


def _download(found: Video, rendition: Rendition, base_url: str) -> shapes.Download:
    form = "mp4" if rendition.is_video else "m4a"
    url = f"{base_url}/v/{found.id}/download/{rendition.name}.{form}"
    return {"rendition": rendition.name, "type": paths.mime_type(url), "url": url}


def _failure(failure: Failure) -> shapes.Failure:
    return {"code": failure.code, "message": failure.message, "retryable": failure.retryable}
