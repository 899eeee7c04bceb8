"""What happened, for operators: the outbox as it grew."""

from __future__ import annotations

from collections.abc import Sequence

from nextstream.domain.access import Action, demand
from nextstream.domain.accounts import Account
from nextstream.domain.events import Event, happen
from nextstream.domain.video import Video
from nextstream.ports import OutboxEntry, Platform


def page(
    platform: Platform, account: Account, after: int, limit: int, key: str | None = None
) -> Sequence[OutboxEntry]:
    """Give events in their order from the place after `after` on; raises NotAllowed."""
    demand(account, Action.OPERATE)
    with platform.database.transaction() as tx:
        return tx.outbox.page(after, limit, key)


def about(platform: Platform, video: Video, type_: str, **data: object) -> Event:
    """Make an event about a video's encode, under the request that began it."""
    now, version = platform.clock.now(), video.version
    traceparent = platform.tracer.context() or video.traceparent
    return happen(
        type_, video.id, now, video.request_id, traceparent=traceparent, version=version, **data
    )
