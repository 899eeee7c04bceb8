"""An example of each body, by its type's name: answers are what the API gives for these values.

No secret here is one, as bandit is told beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from nextstream.domain.accounts import SCOPES, Account, Role, Scope
from nextstream.domain.api_keys import ApiKey
from nextstream.domain.audit import Deed
from nextstream.domain.events import Event
from nextstream.domain.sessions import Session
from nextstream.domain.source import AudioTrack, SourceInfo, VideoTrack
from nextstream.domain.video import Rendition, Segment, State, Video
from nextstream.domain.webhooks import Delivery, Outcome, Webhook
from nextstream.ports import AuditEntry, OutboxEntry, Usage, Worker
from nextstream.services.lag import Lag, Lags
from nextstream.services.progress import Progress, RungProgress
from nextstream.services.quotas import Quota
from nextstream.services.rights import Grant
from web import account_bodies, bodies

URL = "https://videos.example.org"
NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=6)
VIDEO_ID, ACCOUNT_ID, SESSION_ID = "2f6c1d8e4b7a9c3e5d0f1a", "5e8f8c2a9d1b4c3f7a6e01", "9a8b7c6d5e4f3a2b"
TEN = Fraction(10)

_picture = VideoTrack(0, "h264", 1280, 720, Fraction(24), Fraction(0), TEN)
_sound = AudioTrack(1, "aac", 2, 48000, "en")
_rung = Rendition(
    "v720", "avc1.64001f", 24000, "", (Segment(1, 240000, 1_250_000),), width=1280, height=720
)
_voice = Rendition("a0", "mp4a.40.2", 48000, "", (Segment(1, 480000, 160_000),), channels=2)
_video = Video(
    VIDEO_ID,
    ACCOUNT_ID,
    "My film",
    "film.mp4",
    NOW,
    State.READY,
    revision=9,
    size_bytes=3_400_000,
    source=SourceInfo("mov,mp4", Fraction(0), TEN, 3_400_000, _picture, (_sound,)),
    renditions=(_rung, _voice),
    state_times={State.UPLOADED: NOW, State.READY: NOW + timedelta(seconds=9)},
    public_version=1,
)
_encoding = Progress(120, 240, 50, 96.0, 1.3, (RungProgress("v720", 720, 120, 240),))
_account = Account(ACCOUNT_ID, "ada", "", Role.UPLOADER, NOW)
_scopes = tuple(sorted(SCOPES[Role.UPLOADER]))
_session = Session(SESSION_ID, ACCOUNT_ID, _scopes, NOW, NOW, LATER, "", address="192.0.2.7")
_key = ApiKey("3c1f5b7d9e2a4c6e", ACCOUNT_ID, "nightly import", "", (Scope.UPLOADS_WRITE,), NOW)
_webhook = Webhook(
    "6b4d2f8a1c3e5b7d9f0a2c", ACCOUNT_ID, "https://example.org/hook", "", ("video.*",), NOW
)
_event = Event("b1946ac92492d2347c6235b4d2611184", "video.ready", VIDEO_ID, NOW, {"version": 1})
_delivery = Delivery(
    "0b7d9f2c4e6a8b1d3f5a7c",
    _webhook.id,
    41,
    _event.id,
    _event.type,
    NOW,
    NOW,
    Outcome.DELIVERED,
    1,
    200,
)
_deed = Deed(NOW, "auth.login", "ok", ACCOUNT_ID, ACCOUNT_ID, "192.0.2.7", "r-71")
_secret = "x" * 43


def _page(item: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"items": [item], **more}


def _tell() -> dict[str, Any]:
    """Give the examples of answers."""
    return {**_of_accounts(), **_of_uploads(), **_of_videos(), **_of_the_server()}


def _of_accounts() -> dict[str, Any]:
    account, key = account_bodies.account(_account), account_bodies.api_key(_key)
    managed = account_bodies.account_to_operator(_account)
    return {
        "Account": account,
        "AccountList": _page(managed, next=None),
        "ApiKeyList": _page(key),
        "AuditList": _page(account_bodies.audit_entry(AuditEntry(17, _deed)), next=17),
        "CookieLogin": {"expires_in": 900, "account": account},
        "EndedSessions": {"sessions_ended": 2},
        "Login": {
            "access_token": "eyJhbGciOiJFZERTQSJ9.e30.c2ln",  # nosec B105
            "refresh_token": f"nsr_{SESSION_ID * 2}_{'0' * 64}",
            "token_type": "Bearer",  # nosec B105
            "expires_in": 900,
            "scope": " ".join(_scopes),
        },
        "ManagedAccount": managed,
        "NewApiKey": {**key, "key": f"ns_{_key.id}_{_secret}"},
        "Quotas": account_bodies.quota(Quota(10**10, 0, 5), Usage(3_400_000, 10.0, 1)),
        "SessionList": _page(account_bodies.session(_session, SESSION_ID)),
    }


def _of_uploads() -> dict[str, Any]:
    multipart = {"key": f"videos/{VIDEO_ID}/source", "video_id": VIDEO_ID}
    return {
        "CompletedMultipart": {**multipart, "location": f"{URL}/api/v1/videos/{VIDEO_ID}"},
        "DirectUpload": {
            "video_id": VIDEO_ID,
            "url": f"{URL}/api/v1/uploads/direct/{_secret}",
            "expires_at": LATER.isoformat(),
        },
        "Multipart": {**multipart, "uploadId": VIDEO_ID},
        "ReceivedUpload": {"video_id": VIDEO_ID, "size_bytes": 3_400_000},
        "SentPart": {"PartNumber": 1, "Size": 5_242_880, "ETag": '"5d41402a"'},
        "SignedPart": {"url": "https://s3.example.org/media/part?X-Amz-Signature=0", "expires": 3600},
    }


def _of_videos() -> dict[str, Any]:
    encoding = bodies.video(replace(_video, state=State.ENCODING), URL, _encoding)
    german = Rendition("s1", "wvtt", 1000, "", (), language="de", is_uploaded=True)
    return {
        "Playback": bodies.grant(Grant(_video, "WyJ2Il0.sig", LATER), URL),
        "Subtitles": bodies.subtitles(german),
        "Video": bodies.video(_video, URL, None, (_rung,)),
        "VideoList": _page(encoding, next=VIDEO_ID),
    }


def _of_the_server() -> dict[str, Any]:
    hook, sent = bodies.webhook(_webhook), bodies.delivery(_delivery)
    public = {"kid": "k1", "kty": "OKP", "crv": "Ed25519", "x": "x" * 43, "alg": "EdDSA", "use": "sig"}
    return {
        "Delivery": sent,
        "DeliveryList": _page(sent, next=None),
        "EventList": _page(bodies.event(OutboxEntry(41, _event, sent=True)), next=41),
        "Health": {"status": "alive"},
        "Lags": bodies.lags(Lags(Lag(2, 0.4), Lag(0, 0.0), Lag(0, 0.0))),
        "NewWebhook": {**hook, "secret": "whsec_c2VjcmV0IG9mIHRoZSBob3VzZQ=="},  # nosec B105
        "Nothing": {},
        "PublicKeys": {"keys": [public]},
        "Readiness": {"status": "ready", "checks": {"database": "ok", "storage": "ok"}},
        "Webhook": hook,
        "WebhookList": _page(hook),
        "WorkerList": _page(bodies.worker(Worker("media@a", 4, NOW))),
    }


REQUESTS: dict[str, Any] = {
    "AccountChange": {"role": "viewer"},
    "Credentials": {"name": "ada", "password": "correct horse battery"},  # nosec B105
    "DirectWish": {"title": "My film", "filename": "film.mp4", "expires_s": 3600},
    "EncodeWish": {"heights": [360, 720], "codecs": ["h264"], "crf": 24, "preset": "medium"},
    "FileFacts": {"filename": "film.mp4"},
    "ImportWish": {"url": "https://files.example.org/film.mp4", "title": "My film"},
    "KeyWish": {"name": "nightly import", "scopes": ["uploads:write"], "expires_in_days": 90},
    "PasswordChange": {"current": "correct horse battery", "new": "another horse battery"},  # nosec B105
    "PlaybackWish": {"lifetime_s": 3600},
    "Registration": {"name": "ada", "password": "correct horse battery"},  # nosec B105
    "VideoChange": {"title": "My first film", "visibility": "public"},
    "WebhookChange": {"active": False},
    "WebhookWish": {"url": "https://example.org/hook", "types": ["video.ready", "video.failed"]},
}


def every() -> dict[str, Any]:
    """Give an example for each name of a body's type."""
    return {**REQUESTS, **_tell()}
