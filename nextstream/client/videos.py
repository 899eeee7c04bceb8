"""The library: list, change, follow, encode and remove videos; their subtitles and tickets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import requests

from nextstream.client import following
from nextstream.client.transport import Transport, new_key, part, read_json, said
from nextstream.client.values import (
    Event,
    Order,
    Priority,
    Rendition,
    State,
    Ticket,
    Video,
    Visibility,
    read,
)


class Videos:
    """The videos of the account."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self,
        *,
        state: State | str | None = None,
        visibility: Visibility | str | None = None,
        text: str | None = None,
        order: Order | str = Order.NEWEST,
        everyone: bool = False,
        page_size: int = 50,
    ) -> Iterator[Video]:
        """Give the videos that fit all that is given, page by page as they are asked for.

        `text` is in the title; `everyone` asks for the public videos of all accounts.
        """
        wanted = {"state": state, "visibility": visibility, "text": text}
        query = {name: str(value) for name, value in wanted.items() if value is not None}
        query |= {
            "order": str(order),
            "limit": str(page_size),
            **({"everyone": "true"} if everyone else {}),
        }
        return (read(Video, item) for item in self._http.pages("/api/v1/videos", query, "before"))

    def get(self, video_id: str) -> Video:
        """Give a video, and how far its encode is."""
        return _video(self._http.call("GET", f"/api/v1/videos/{part(video_id)}"))

    def change(
        self,
        video_id: str,
        *,
        title: str | None = None,
        visibility: Visibility | str | None = None,
        priority: Priority | str | None = None,
        if_match: str | None = None,
    ) -> Video:
        """Change what is given; with `if_match`, a Video's `etag`, only if nobody else did since.

        Raises Refused with the code `precondition_failed` where somebody did.
        """
        wishes = {"title": title, "visibility": visibility, "priority": priority}
        body = {name: str(value) for name, value in wishes.items() if value is not None}
        path, headers = f"/api/v1/videos/{part(video_id)}", _condition(if_match)
        return _video(self._http.call("PATCH", path, json=body, headers=headers))

    def delete(self, video_id: str, *, if_match: str | None = None) -> None:
        """Remove a video and all its files; `if_match` as in `change`."""
        headers = _condition(if_match)
        self._http.call("DELETE", f"/api/v1/videos/{part(video_id)}", headers=headers)

    def cancel(self, video_id: str) -> Video:
        """End a video's encode, and remove what it stored; the source stays."""
        return _video(self._http.call("POST", f"/api/v1/videos/{part(video_id)}/cancel"))

    def retry(self, video_id: str) -> Video:
        """Do again what failed."""
        return _video(self._http.call("POST", f"/api/v1/videos/{part(video_id)}/retry"))

    def encode(
        self,
        video_id: str,
        *,
        heights: Sequence[int] | None = None,
        preset: str | None = None,
        crf: int | None = None,
        codecs: Sequence[str] | None = None,
        encryption: Literal["none", "aes-128"] | None = None,
    ) -> Video:
        """Encode a video anew; what isn't given is the server's choice, and the old encode plays on."""
        wishes = {
            "heights": [*heights] if heights else None,
            "preset": preset,
            "crf": crf,
            "codecs": [*codecs] if codecs else None,
            "encryption": encryption,
        }
        body = said(wishes)
        path = f"/api/v1/videos/{part(video_id)}/encodes"
        return _video(self._http.call("POST", path, json=body, key=new_key()))

    def follow(self, video_id: str) -> Iterator[Video | Event]:
        """Give a video each time it changes, and its events, until its encode has ended."""
        return following.follow(self._http, video_id)

    def wait(
        self,
        video_id: str,
        until: Literal["playable", "ready"] = "ready",
        *,
        timeout_s: float | None = None,
        show: Callable[[Video], None] = lambda _: None,
    ) -> Video:
        """Wait until a video can be watched, or is done, and give it; `show` is called as it goes on.

        Raises VideoEnded where it fails or is cancelled, and NotYet.
        """
        return following.wait(self._http, video_id, until, timeout_s, show)

    def grant(self, video_id: str, lifetime_s: int = 6 * 3600) -> Ticket:
        """Give addresses that play a video for a while, whatever its visibility."""
        path, body = f"/api/v1/videos/{part(video_id)}/playback", {"lifetime_s": lifetime_s}
        return read(Ticket, self._http.json("POST", path, json=body, key=new_key()))

    def revoke(self, video_id: str) -> None:
        """Make all tickets that were given for a video worthless."""
        self._http.call("DELETE", f"/api/v1/videos/{part(video_id)}/playback")


class Subtitles:
    """Subtitles of videos, by language (as `en` or `pt-BR`) and by purpose.

    The purpose is `main`, `captions` (for the deaf), `forced` or `commentary`.
    """

    def __init__(self, http: Transport) -> None:
        self._http = http

    def get(self, video_id: str, language: str, *, purpose: str = "main") -> str:
        """Give subtitles as WebVTT."""
        path = f"/api/v1/videos/{part(video_id)}/subtitles/{part(language)}"
        answer = self._http.call("GET", path, params={"purpose": purpose})
        return answer.content.decode()

    def put(
        self,
        video_id: str,
        language: str,
        text: str | bytes,
        *,
        purpose: str = "main",
        title: str | None = None,
    ) -> Rendition:
        """Add subtitles, SRT or WebVTT, in the place of those there are."""
        data = text.encode() if isinstance(text, str) else text
        query = {"purpose": purpose, **({"title": title} if title else {})}
        path = f"/api/v1/videos/{part(video_id)}/subtitles/{part(language)}"
        return read(Rendition, self._http.json("PUT", path, data=data, params=query))

    def delete(self, video_id: str, language: str, *, purpose: str = "main") -> None:
        """Remove subtitles."""
        path = f"/api/v1/videos/{part(video_id)}/subtitles/{part(language)}"
        self._http.call("DELETE", path, params={"purpose": purpose})


def _video(answer: requests.Response) -> Video:
    return replace(read(Video, read_json(answer)), etag=answer.headers.get("ETag"))


def _condition(etag: str | None) -> dict[str, str]:
    return {"If-Match": etag} if etag else {}
