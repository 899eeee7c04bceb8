"""Following a video by server-sent events, or by asking again and again where they don't get through."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from nextstream.client.errors import ClientError, NotYet, Refused, VideoEnded
from nextstream.client.transport import Transport, part, reaching
from nextstream.client.values import Event, State, Video, read

SILENCE_S = 30.0  # the server gives a sign of life every 5 s
ASK_EVERY_S = 2.0


@dataclass(frozen=True)
class Message:
    """A server-sent event."""

    name: str
    id: str
    data: str


def parse(lines: Iterable[bytes]) -> Iterator[Message]:
    """Read messages (the HTML standard, section 9.2.6); one that isn't whole is left out."""
    return (message for message in _beats(lines) if message is not None)


def _beats(lines: Iterable[bytes]) -> Iterator[Message | None]:
    """Read messages as `parse`, and give None for a sign of life between them."""
    name, place, data = "", "", list[str]()
    for raw in lines:
        line = raw.decode()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            yield Message(name or "message", place, "\n".join(data)) if data else None
            name, data = "", []
        elif field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id":
            place = value


def follow(http: Transport, video_id: str) -> Iterator[Video | Event]:
    """Give a video each time it changes, and its events, until its encode has ended.

    An event isn't given twice; where no stream can be had, there are none, and the video is asked for
    every two seconds. Raises Refused, as for a video that isn't there, and Unreachable.
    """
    for found in _watch(http, video_id):
        if found is not None:
            yield found


def _watch(http: Transport, video_id: str) -> Iterator[Video | Event | None]:
    """Follow a video, and give None every few seconds in which nothing happens."""
    place: str | None = None
    seen: Video | None = None
    while seen is None or not seen.has_ended:
        try:
            for message in _stream(http, video_id, place):
                if message is None:
                    yield None
                    continue
                place = message.id or place
                found = _read(message)
                seen = found if isinstance(found, Video) else seen
                yield found
        except ClientError as error:
            if isinstance(error, Refused) and not error.retryable:
                raise
        if seen is None or not seen.has_ended:
            found = read(Video, http.json("GET", f"/api/v1/videos/{part(video_id)}"))
            yield found if found != seen else None
            seen = found
            if not found.has_ended:
                http.sleep(ASK_EVERY_S)


def wait(
    http: Transport,
    video_id: str,
    until: Literal["playable", "ready"],
    timeout_s: float | None,
    show: Callable[[Video], None],
) -> Video:
    """Follow a video until it is playable or ready; see Videos.wait."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    with closing(_watch(http, video_id)) as found:  # type: ignore[type-var]  # it's a generator
        for each in found:
            if isinstance(each, Video):
                show(each)
                if each.state is State.READY or (until == "playable" and each.playable):
                    return each
                if each.has_ended:
                    raise VideoEnded(each)
            if deadline is not None and time.monotonic() > deadline:
                break
    raise NotYet(f"The video isn't {until} after {timeout_s:g} s.")


def _stream(http: Transport, video_id: str, place: str | None) -> Iterator[Message | None]:
    """Give what a stream says until it ends, as it does after some minutes."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": place} if place else {})}
    path = f"/api/v1/videos/{part(video_id)}/events"
    answer = http.call("GET", path, headers=headers, stream=True, tries=1, timeout=SILENCE_S)
    with closing(answer), reaching(http.url):
        # Byte by byte, or a line would wait for the next ones to fill a block.
        yield from _beats(answer.iter_lines(chunk_size=1))


def _read(message: Message) -> Video | Event:
    body = json.loads(message.data)
    return read(Video, body) if message.name == "progress" else read(Event, body)
