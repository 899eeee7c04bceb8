"""The state machine of a video, as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from nextstream.domain.video import State, Video
from nextstream.errors import WrongState

ENDED = frozenset({State.READY, State.FAILED, State.CANCELLED})

MOVES: dict[State, frozenset[State]] = {
    State.CREATED: frozenset({State.UPLOADING, State.FAILED, State.CANCELLED}),
    State.UPLOADING: frozenset({State.UPLOADED, State.FAILED, State.CANCELLED}),
    State.UPLOADED: frozenset({State.PROBING, State.FAILED, State.CANCELLED}),
    State.PROBING: frozenset({State.ENCODING, State.FAILED, State.CANCELLED}),
    State.ENCODING: frozenset({State.READY, State.FAILED, State.CANCELLED}),
    # What has ended begins again only when someone asks: encoded anew, or retried. A retry of what
    # failed in the middle of its encode goes on from there.
    State.READY: frozenset({State.UPLOADED}),
    State.FAILED: frozenset({State.UPLOADED, State.ENCODING}),
    State.CANCELLED: frozenset({State.UPLOADED}),
}


def move(video: Video, to: State, at: datetime, **changes: Any) -> Video:
    """Give the video in its next state; raises WrongState where the table has no such move."""
    if to not in MOVES[video.state]:
        raise WrongState(f"A video that is {video.state} can't become {to}.")
    times = {**video.state_times, to: at}
    return replace(video, state=to, state_times=times, **changes)
